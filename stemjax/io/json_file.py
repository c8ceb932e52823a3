"""JSON files: read within bounds and by types, written without NaN.

Every JSON file of the project is read by `read_json` or `read_as` and written by
`write_json`, so that damage is one line that names the file and the field.
"""

import json
import math
import os
from typing import Any, NoReturn, TypeVar

from stemjax.config.plain_values import FieldError, from_json
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.remote import as_path

MOST_BYTES = 1 << 30
"""Largest JSON file that is read."""
T = TypeVar("T")


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON with sorted keys; one line without `indent`.

    Raises:
      ValueError: a number that is not finite.
    """
    return json.dumps(value, indent=indent, sort_keys=True, allow_nan=False)


def write_json(path: str | os.PathLike, value: Any, *, indent: int | None = 2) -> None:
    """Write JSON with sorted keys to a file or URL, whole or not at all."""
    write_text(path, json_text(value, indent=indent) + "\n")


def read_json(path: str | os.PathLike, *, mend: str) -> Any:
    """The plain value of a JSON file; a byte order mark is passed over.

    Args:
      mend: what the user can do about a bad file, for the message.

    Raises:
      UserError: missing, unreadable, too large, or not JSON.
    """
    return parse_json(read_bytes(path, mend=mend), path, mend=mend)


def read_as(kind: type[T], path: str | os.PathLike, *, mend: str) -> T:
    """A JSON file as a value of type `kind`, as `from_json` of `config.plain_values`.

    Raises:
      UserError: as `read_json`, or a missing, unknown or mistyped field.
    """
    return typed(kind, read_json(path, mend=mend), path, mend=mend)


def typed(kind: type[T], value: Any, source: Any, *, mend: str) -> T:
    """A plain value as a value of type `kind`.

    Args:
      source: the file of the value, for the message.

    Raises:
      UserError: a missing, unknown or mistyped field; names it.
    """
    try:
        return from_json(kind, value)
    except FieldError as error:
        raise UserError(f"{source}: {error}; {mend}") from None


def read_bytes(path: str | os.PathLike, *, mend: str, most: int = MOST_BYTES) -> bytes:
    """The content of a file of at most `most` bytes.

    Raises:
      UserError: missing, a folder, unreadable, or too large.
    """
    path = as_path(path)
    try:
        if path.stat().length > most:
            raise UserError(f"{path}: larger than {most} bytes; {mend}")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {mend}") from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror or error}); {mend}"
        ) from None


def parse_json(content: bytes | str, source: Any, *, mend: str) -> Any:
    """The plain value of JSON text.

    Raises:
      UserError: not UTF-8, not JSON, nested too deep, a key that occurs twice in one
        object, or a number that is not finite.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return _DECODER.decode(text)
    except UnicodeDecodeError:
        fault = "not UTF-8"
    except RecursionError:
        fault = "nested too deep"
    except ValueError as error:
        fault = str(error)
    raise UserError(f"{source}: not JSON ({fault}); {mend}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} occurs twice")
    return table


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
)

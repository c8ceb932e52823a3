"""TOML files of settings: sweeps of training runs and grids of decoding settings."""

import os
import pathlib
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from stemjax.io.errors import UserError
from stemjax.io.json_file import read_bytes

MOST_BYTES = 10_000_000
"""Largest TOML file that is read."""
NOTATION = {dict: "[{}]", list: "[[{}]]"}  # how TOML writes a table, a list of tables


def read_toml(
    path: str | os.PathLike, parts: Mapping[str, type], *, what: str
) -> dict[str, Any]:
    """The top-level entries of a TOML file; a byte order mark is passed over.

    Args:
      parts: the entries that the file may have, and the type of each.
      what: word for such a file in messages, e.g. "grid".

    Raises:
      UserError: no such file, not TOML, or an entry that is unknown or of another type.
    """
    file = pathlib.Path(path)
    if not file.exists():
        raise UserError(f"{file}: no such {what} or file")
    content = read_bytes(file, mend="give a TOML file", most=MOST_BYTES)
    try:
        entries = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UserError(f"{file}: not TOML (not UTF-8); save it as UTF-8") from None
    except RecursionError:
        raise UserError(f"{file}: not TOML (nested too deep)") from None
    except ValueError as error:
        raise UserError(f"{file}: not TOML ({error})") from None
    *first, last = (NOTATION.get(kind, "{}").format(k) for k, kind in parts.items())
    for key, value in entries.items():
        if not isinstance(value, parts.get(key, ())):
            raise UserError(
                f"{file}: {key!r} is unknown or misplaced; a {what} has"
                f" {', '.join(first)} and {last}"
            )
    return entries


def axes_of(file: os.PathLike, axes: Mapping[str, Any]) -> Iterator[tuple[str, list]]:
    """(name, values) of each entry of an [axes] table.

    Raises:
      UserError: an axis that is not a list, or is empty.
    """
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{file}: axes.{name} must be a list of values")
        yield name, values

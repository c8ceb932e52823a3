"""YAML files of data sets, written by others."""

from pathlib import Path
from typing import Any

from stemjax.io.errors import UserError
from stemjax.io.json_file import read_bytes

MOST_BYTES = 10_000_000
"""Largest YAML file that is read."""


def read_yaml(path: Path, *, mend: str) -> dict[str, Any]:
    """The mapping of a YAML file; a byte order mark is passed over.

    Args:
      mend: what the user can do about a bad file, for the message.

    Raises:
      UserError: missing, not UTF-8, not YAML, or no mapping with texts as keys.
    """
    import yaml

    if not path.exists():
        raise UserError(f"{path} is missing: {mend}")
    content = read_bytes(path, mend=mend, most=MOST_BYTES)
    try:
        value = yaml.safe_load(content.decode("utf-8-sig"))
    except RecursionError:
        raise UserError(f"cannot read {path}: nested too deep; {mend}") from None
    except (ValueError, TypeError, yaml.YAMLError) as error:
        text = " ".join(str(error).split())
        raise UserError(f"cannot read {path}: {text}; {mend}") from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UserError(f"{path} is no mapping of names to values: {mend}")
    return value


def text_of(mapping: dict[str, Any], field: str, path: Path) -> str | None:
    """A text or number of a mapping as text; None without one.

    Raises:
      UserError: a list, a mapping or another value.
    """
    value = mapping.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UserError(f"{path}: {field} must be a text, not {_kind(value)}")
    return str(value)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else type(value).__name__

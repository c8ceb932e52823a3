"""TOML files of the user's own, read with an error that says what is wrong."""

import os
import pathlib
import tomllib
from collections.abc import Mapping
from typing import Any

from stemjax.io.errors import UserError

SHOWN = {dict: "[{}]", list: "[[{}]]"}  # as TOML writes a table, a list of tables


def read_toml(
    path: str | os.PathLike, parts: Mapping[str, type], *, what: str
) -> dict[str, Any]:
    """What the file holds at its top.

    Args:
      parts: what it may hold, and of which type.
      what: the word for such a file in messages, e.g. "grid".

    Raises:
      UserError: no such file, no TOML, or a part that is unknown or of another type.
    """
    file = pathlib.Path(path)
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: no such {what} or file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{file}: not TOML ({error})") from None
    *first, last = (SHOWN.get(kind, "{}").format(k) for k, kind in parts.items())
    for key, value in found.items():
        if not isinstance(value, parts.get(key, ())):
            raise UserError(
                f"{file}: {key!r} is unknown or misplaced; a {what} has"
                f" {', '.join(first)} and {last}"
            )
    return found

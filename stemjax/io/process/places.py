"""Where results go: checked before any work, and never outside the folder given."""

import os
import pathlib
from typing import Annotated, Any

from tyro.constructors import PrimitiveConstructorSpec

from stemjax.io.remote import is_remote

PATTERN_SIGNS = "*?[]\\"
"""Signs of file patterns: the library of checkpoints does not read folders with them."""


def _text_type(check: Any) -> Any:
    """Type of texts on the command line that pass `check`, which raises ValueError."""

    def read(texts: list[str]) -> str:
        check(texts[0])
        return texts[0]

    return Annotated[
        str,
        PrimitiveConstructorSpec(
            nargs=1,
            metavar="STR",
            instance_from_str=read,
            is_instance=lambda value: isinstance(value, str),
            str_from_instance=lambda value: [value],
        ),
    ]


def check_folder(path: str | os.PathLike) -> None:
    """Check that a folder is there to be written to, or can be made.

    Raises:
      ValueError: an empty path, a file, or no right to write.
    """
    path = os.fspath(path)
    if not path:
        raise ValueError("'': give a folder")
    if is_remote(path):
        return
    folder = pathlib.Path(path).absolute()
    if os.path.lexists(folder) and not folder.is_dir():
        raise ValueError(f"{path}: is no folder; give another")
    _check_parent(path, folder)


def check_file(path: str | os.PathLike) -> None:
    """Check that a file can be written: its folder is there or can be made.

    Raises:
      ValueError: an empty path, a folder, or no right to write.
    """
    path = os.fspath(path)
    if not path:
        raise ValueError("'': give a file")
    if is_remote(path):
        return
    file = pathlib.Path(path).absolute()
    if file.is_dir():
        raise ValueError(f"{path}: is a folder; give a file")
    _check_parent(path, file.parent)


def _check_parent(path: str, folder: pathlib.Path) -> None:
    nearest = next(p for p in (folder, *folder.parents) if os.path.lexists(p))
    if not nearest.is_dir():
        raise ValueError(f"{path}: {nearest} is no folder; give another path")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(f"{path}: no right to write to {nearest}; give another path")


def _check_local_folder(path: str) -> None:
    if is_remote(path):
        raise ValueError(f"{path}: give a folder of this machine, and copy it")
    check_folder(path)


OutFolder = _text_type(_check_local_folder)
"""Folder of this machine to write."""
OutPlace = _text_type(check_folder)
"""Folder to write, of this machine or gs://..."""
OutFile = _text_type(check_file)
"""File to write."""


def check_checkpoint_folder(path: str | os.PathLike) -> None:
    """Check that checkpoints in a folder can be read again.

    Raises:
      ValueError: a folder whose path from the root holds a sign of patterns, or bytes
        that are no text.
    """
    if is_remote(path):
        return
    full = os.path.realpath(path)
    signs = sorted({sign for sign in full if sign in PATTERN_SIGNS})
    if signs:
        raise ValueError(
            f"{full}: checkpoints in a folder with {' '.join(signs)} in its path cannot"
            " be read again; give another"
        )
    try:
        full.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(
            f"{full}: checkpoints in a folder whose path is not UTF-8 cannot be read"
            " again; give another"
        ) from None


def printable_name(path: str | os.PathLike) -> str:
    """Base name of a path as text: bytes that are no UTF-8 are escaped, as in \\udce9."""
    return pathlib.Path(path).name.encode("utf-8", "backslashreplace").decode()

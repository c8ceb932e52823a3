"""Files and folders that are either whole or absent."""

import contextlib
import functools
import os
import pathlib
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator

from stemjax.io.errors import UserError
from stemjax.io.remote import is_remote, publish

_NEXT, _SWITCH = ".next", ".switch"
"""Folders of `replacing_files`: what is being written, and what only has to be moved."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yield a local path to write; on success it replaces `path`, a file or a URL."""
    if is_remote(path):
        with tempfile.TemporaryDirectory(prefix="stemjax-") as folder:
            part = pathlib.Path(folder) / os.fspath(path).rpartition("/")[2]
            yield part
            publish(part, path)
        return
    path = pathlib.Path(path)
    if path.parts[:1] == ("gs:",):  # pathlib drops a slash of gs://
        raise UserError(
            f"{path}: give a folder of this machine, not gs://, and copy it"
        )
    if path.name in ("", ".."):
        raise UserError(f"{os.fspath(path)!r}: is no file; give a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_parts(path.parent.absolute())
    # the suffix stays last: writers choose a format by it
    owner = f"{socket.gethostname()}.{os.getpid()}"
    part = path.with_name(f".{path.stem}.{owner}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@functools.lru_cache(maxsize=1000)
def _remove_parts(folder: pathlib.Path) -> None:
    """Delete what killed processes of this machine left half-written, once per folder."""
    pattern = re.compile(rf"\..*\.{re.escape(socket.gethostname())}\.(\d+)\.part.*")
    for name in os.listdir(folder):
        if (match := pattern.fullmatch(name)) and not _is_alive(int(match[1])):
            (folder / name).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # a process of another user
        pass
    return True


@contextlib.contextmanager
def replacing_files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield an empty folder to fill; on success all its files move into `folder`.

    The files replace those of the same names together: after a kill in between,
    `finish_replacing` moves the rest.
    """
    part, switch = folder / _NEXT, folder / _SWITCH
    finish_replacing(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        os.replace(part, switch)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    finish_replacing(folder)


def finish_replacing(folder: pathlib.Path) -> None:
    """Move the files that a killed `replacing_files` had ready; call it before reading."""
    switch = folder / _SWITCH
    if not switch.is_dir():
        return
    for path in sorted(switch.iterdir()):
        os.replace(path, folder / path.name)
    switch.rmdir()


@contextlib.contextmanager
def replacing_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield an empty folder to fill; on success it becomes `folder`, which must be new.

    The temporary folder is hidden (`.NAME.part`); one left by a killed process is
    deleted first.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write UTF-8 text to a file or URL, whole or not at all.

    Bytes of a file name that are no text are escaped, as in \\udce9.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file or URL, whole or not at all."""
    with replacing(path) as part:
        part.write_bytes(content)

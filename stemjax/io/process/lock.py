"""One process at a time in a folder; the lock ends with its process, however that ends."""

import contextlib
import datetime
import json
import os
import pathlib
import socket
import time
from collections.abc import Iterator

from stemjax.io.errors import UserError
from stemjax.io.remote import is_remote

LOCK = ".lock"
PATIENCE = 2.0
"""Seconds that a killed process may take to vanish."""


@contextlib.contextmanager
def only_process(folder: str | os.PathLike) -> Iterator[None]:
    """Keep other processes that call this function out of a folder, new or old.

    The file `.lock` in the folder names the holder.  Folders that were made for the lock
    and stay empty are removed.  A folder behind a URL, and one of a file system without
    locks, is not locked.

    Raises:
      UserError: another process holds the lock; names its host, number and start.
    """
    if is_remote(folder) or os.name != "posix":
        yield
        return
    folder = pathlib.Path(folder)
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    file = _acquire(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(file)
        with contextlib.suppress(OSError):
            for made in new:
                made.rmdir()


def _acquire(path: pathlib.Path) -> int:
    """The open lock file, locked, with this process's name in it."""
    import fcntl

    until = time.monotonic() + PATIENCE
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            if time.monotonic() >= until:
                raise UserError(_refusal(path)) from None
            time.sleep(0.1)
            continue
        except OSError:  # a file system without locks
            return file
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                break
        os.close(file)  # its holder has just removed it
    now = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": now}
    os.ftruncate(file, 0)
    os.write(file, json.dumps(holder).encode())
    return file


def _refusal(path: pathlib.Path) -> str:
    try:
        holder = json.loads(path.read_bytes())
        name = "process {pid} on {host}, since {since}".format(**holder)
    except (OSError, ValueError, LookupError, TypeError):
        name = "another process"
    return (
        f"{path.parent}: {name}, works in this folder; wait for it or end it, or give"
        " another folder"
    )

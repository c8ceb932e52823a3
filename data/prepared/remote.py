"""Folders in an object store (gs://, s3://, ...), as `etils.epath` opens them.

Whole files go one way or the other; nothing is appended to and nothing is renamed, which
object stores cannot do.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stemjax.io.errors import UserError

_SCHEMES = ("gs", "s3", "az", "hf")  # of etils.epath
_PIECE = 8 << 20  # bytes in flight


def is_remote(place: str | os.PathLike) -> bool:
    """Whether `place` is a URL and not a path of this machine."""
    return "://" in os.fspath(place)


class RemoteFolder:
    """A folder by its URL.

    Raises:
      UserError: an address that `etils.epath` does not open; later, by every method,
        when the object store or its client says no.
    """

    def __init__(self, url: str):
        if url.split("://")[0] not in _SCHEMES:
            schemes = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
            raise UserError(f"{url}: only {schemes} and local folders are read")
        self.url = url.rstrip("/")

    def read(self, name: str) -> bytes | None:
        """A file's content; None where there is no such file."""
        with self._said("read", name), contextlib.suppress(FileNotFoundError):
            return self._path(name).read_bytes()
        return None

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file; a reader sees it whole or not at all."""
        with self._said("write", name):
            path = self._path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def download(self, name: str, path: Path) -> None:
        """Copy a file to this machine."""
        with (
            self._said("read", name),
            self._path(name).open("rb") as source,
            path.open("wb") as copy,
        ):
            shutil.copyfileobj(source, copy, _PIECE)

    def upload(self, path: Path, name: str) -> None:
        """Copy a file from this machine."""
        with self._said("write", name):
            there = self._path(name)
            there.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, there.open("wb") as copy:
                shutil.copyfileobj(source, copy, _PIECE)

    def names(self) -> list[str]:
        """Files and folders in it; none where there is no such folder."""
        with self._said("list", ""), contextlib.suppress(FileNotFoundError):
            return sorted(path.name for path in self._path("").iterdir())
        return []

    def remove(self, name: str) -> None:
        """Delete a folder and what is in it, if it is there."""
        with self._said("delete", name), contextlib.suppress(FileNotFoundError):
            self._path(name).rmtree()

    def _path(self, name: str) -> Any:
        # etils would take TensorFlow's file system where that is installed.
        os.environ.setdefault("EPATH_USE_TF", "0")
        from etils import epath

        return epath.Path(f"{self.url}/{name}" if name else self.url)

    @contextlib.contextmanager
    def _said(self, verb: str, name: str) -> Iterator[None]:
        where = f"{self.url}/{name}".rstrip("/")
        try:
            yield
        except UserError:
            raise
        except ImportError as error:
            raise UserError(
                f"{self.url}: its client is not installed ({error}); for gs:// pip install"
                " 'stemjax[gcs]'"
            ) from error
        # Each client has errors of its own, few of them OSError.
        except Exception as error:
            raise UserError(
                f"cannot {verb} {where} ({type(error).__name__}: {error}): check the"
                " address and your rights"
            ) from error

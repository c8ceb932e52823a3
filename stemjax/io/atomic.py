"""Files that are either whole or absent: write beside and rename, or upload at once."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from stemjax.io.errors import UserError
from stemjax.io.remote import is_remote, publish


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yield a local path to write; it takes the place of `path` only on success.

    `path` may lie in a bucket (gs://...).
    """
    if is_remote(path):
        with tempfile.TemporaryDirectory(prefix="stemjax-") as folder:
            part = pathlib.Path(folder) / os.fspath(path).rpartition("/")[2]
            yield part
            publish(part, path)
        return
    path = pathlib.Path(path)
    if path.parts[:1] == ("gs:",):  # what pathlib makes of gs://
        raise UserError(
            f"{path}: give a folder of this machine, not gs://, and copy it"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # the suffix stays last: writers choose a format by it
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write UTF-8 text atomically."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")

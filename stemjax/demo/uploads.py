"""Uploads: check the size and the header of a file before decoding it."""

import contextlib
import hashlib
import os
import pathlib
import shutil
import time

from stemjax.io.audio import read_audio
from stemjax.io.audio_files.stream import read_header
from stemjax.io.errors import UserError
from stemjax.session.session import Recording

MAX_BYTES = 50_000_000
MAX_SECONDS = 300.0
MAX_CHANNELS = 2
FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF")
"""Names that libsndfile gives to the accepted formats."""

SESSION_PREFIX = "session-"
"""Of the folders of sessions, which lie beside the uploads."""
UPLOAD_SECONDS = 10 * 60
"""Age at which uploads are removed; a recording that was opened is in memory."""
MAX_FOLDER_BYTES = 500_000_000
"""Of all uploads; beyond it the oldest are removed."""


def read_upload(path: str | os.PathLike, name: str) -> Recording:
    """Read a file of at most 50 MB, 5 minutes and two channels.

    Args:
      name: name of the file in messages and in the session; the path is not shown.

    Raises:
      UserError: too large, or not readable.
    """
    path = pathlib.Path(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UserError(
            f"{name}: {size / 1e6:.0f} MB, at most {MAX_BYTES / 1e6:.0f}; cut it"
        )
    try:
        header = read_header(path)
        if header.format not in FORMATS:
            raise UserError(f"{name}: {header.format}; give wav, flac, ogg or mp3")
        if (seconds := (header.frames or 0) / header.rate) > MAX_SECONDS:
            raise UserError(
                f"{name}: {seconds:.0f} s, at most {MAX_SECONDS:.0f}; cut it"
            )
        if header.channels > MAX_CHANNELS:
            raise UserError(f"{name}: {header.channels} channels; mix it to stereo")
        audio, rate = read_audio(path, max_seconds=MAX_SECONDS)
    except UserError as error:
        raise UserError(str(error).replace(str(path), name)) from None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Recording(name, digest, audio, rate)


def display_name(path: str | None) -> str:
    """A safe name to show and store: the last part of a path, without odd characters."""
    last = (path or "").replace("\\", "/").rpartition("/")[2]
    kept = "".join(c if c.isalnum() or c in " ._-" else "_" for c in last).strip(" .")
    return kept[:80] or "recording"


def remove_old_uploads(root: pathlib.Path) -> None:
    """Remove old uploads, and the oldest ones if there are too many bytes of them.

    Args:
      root: Gradio's folder of files; the folders of sessions in it stay.
    """
    found = []
    for path in root.iterdir():
        if path.name.startswith(SESSION_PREFIX):
            continue
        with contextlib.suppress(FileNotFoundError):
            files = [path, *path.rglob("*")]
            size = sum(file.stat().st_size for file in files if file.is_file())
            found.append((path.stat().st_mtime, size, path))
    total = 0
    for modified, size, path in sorted(found, reverse=True):
        total += size
        if total > MAX_FOLDER_BYTES or time.time() - modified > UPLOAD_SECONDS:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

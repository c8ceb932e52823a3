"""What a page accepts: checked by size, then by header, before anything is decoded."""

import hashlib
import os
import pathlib

from stemjax.io.audio import read_audio
from stemjax.io.errors import UserError
from stemjax.session.folder import Recording

MOST_BYTES = 50_000_000
MOST_SECONDS = 300.0
MOST_CHANNELS = 2
FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF")  # of libsndfile


def read_upload(path: str | os.PathLike, shown: str = "the recording") -> Recording:
    """A file of at most 50 MB, 5 minutes and two channels.

    shown: what errors and the session call it; the path is never told.

    Raises:
      UserError: anything else.
    """
    import soundfile

    path = pathlib.Path(path)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise UserError(
            f"{shown}: {size / 1e6:.0f} MB, at most {MOST_BYTES / 1e6:.0f}; cut it"
        )
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, RuntimeError):
        raise UserError(
            f"{shown}: not audio that can be read; give wav, flac, ogg or mp3"
        ) from None
    if info.format not in FORMATS:
        raise UserError(f"{shown}: {info.format}; give wav, flac, ogg or mp3")
    if info.duration > MOST_SECONDS:
        raise UserError(
            f"{shown}: {info.duration:.0f} s, at most {MOST_SECONDS:.0f}; cut it"
        )
    if info.channels > MOST_CHANNELS:
        raise UserError(f"{shown}: {info.channels} channels; mix it to stereo")
    try:
        audio, rate = read_audio(path)
    except UserError as error:
        raise UserError(str(error).replace(str(path), shown)) from None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Recording(shown, digest, audio, rate)


def shown_name(name: str | None) -> str:
    """A name to show and to store: letters, digits and a few marks of its last part."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    kept = "".join(c if c.isalnum() or c in " ._-" else "_" for c in last).strip(" .")
    return kept[:80] or "recording"

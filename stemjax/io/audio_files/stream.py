"""Decode audio files block by block to their end; what a header claims is a hint.

libsndfile stops at the length in the header.  Where that length is often false, a copy of
the file in memory says otherwise: FLAC and WAV that were streamed, MP3 without or with a
false count of frames, files that were joined end to end.
"""

import contextlib
import io
import os
import pathlib
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from stemjax.io.audio_files import mp3, ogg
from stemjax.io.audio_files.bounds import (
    MAX_SAMPLES,
    MAX_SECONDS,
    check_header,
    too_long,
)
from stemjax.io.errors import UserError

BLOCK = 1 << 16
"""Samples per channel that are decoded at a time."""
MAX_FILE_BYTES = 1_500_000_000
"""Largest file that is copied into memory."""
HEAD_BYTES = 1 << 16
"""Bytes in which the data chunk of a WAV begins."""
MAX_FRAMES_PER_BYTE = 50
"""Largest credible compression: 8 kbit/s at 48 kHz."""
FLAC_TOTAL = slice(21, 26)
"""Bytes of a FLAC file with the number of samples, 36 bits; 0: unknown."""


class AudioHeader(NamedTuple):
    """What the header of an audio file claims."""

    format: str
    """Name that libsndfile gives to the format, such as "WAV"."""
    channels: int
    rate: int
    """Hz."""
    frames: int | None
    """Samples per channel; None: unknown, or more than such a file can hold."""


class SoundStream(soundfile.SoundFile):
    """An audio file that is read in order: no seeking, no trust in its length."""

    def seekable(self) -> bool:
        """False, so that `read` neither seeks nor cuts at the length in the header."""
        return False


class AudioStream:
    """The blocks [n, C] float32 of an audio file, in order."""

    def __init__(self, name: str, sounds: Sequence[SoundStream], max_seconds: float):
        self._name, self._sounds, self._max_seconds = name, sounds, max_seconds
        self.channels, self.rate = sounds[0].channels, sounds[0].samplerate
        check_header(self.channels, self.rate, name=name)
        for sound in sounds:
            if (sound.channels, sound.samplerate) != (self.channels, self.rate):
                raise UserError(
                    f"{name}: several recordings in one file, of {self.rate} Hz with"
                    f" {self.channels} channels and of {sound.samplerate} Hz with"
                    f" {sound.channels}; split it"
                )

    def __iter__(self) -> Iterator[np.ndarray]:
        done = 0
        for sound in self._sounds:
            while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
                done += len(block)
                if done > self._max_seconds * self.rate:
                    raise UserError(f"{self._name}: {too_long(self._max_seconds)}")
                if done * self.channels > MAX_SAMPLES:
                    raise UserError(
                        f"{self._name}: more than {MAX_SAMPLES} samples in"
                        f" {self.channels} channels; cut it"
                    )
                yield block


@contextlib.contextmanager
def open_stream(
    path: str | os.PathLike, *, max_seconds: float = MAX_SECONDS
) -> Iterator[AudioStream]:
    """Open an audio file; errors of opening and of decoding are a `UserError`.

    Args:
      max_seconds: decoding stops with an error past this length.

    Raises:
      UserError: missing, not audio, damaged, or too long.
    """
    with _opened(path) as file, contextlib.ExitStack() as stack:
        sounds = [
            stack.enter_context(SoundStream(recording, closefd=False))
            for recording in _recordings(file, str(path))
        ]
        yield AudioStream(str(path), sounds, max_seconds)


def read_header(path: str | os.PathLike) -> AudioHeader:
    """Read the header of an audio file; nothing is decoded.

    Raises:
      UserError: missing, not audio, or out of the bounds of `check_header`.
    """
    with _opened(path) as file, SoundStream(file.fileno(), closefd=False) as sound:
        check_header(sound.channels, sound.samplerate, name=str(path))
        most = MAX_FRAMES_PER_BYTE * os.fstat(file.fileno()).st_size
        frames = sound.frames if 0 < sound.frames <= most else None
        return AudioHeader(sound.format, sound.channels, sound.samplerate, frames)


def count_frames(path: str | os.PathLike) -> int:
    """Decode an audio file and count its samples per channel.

    Raises:
      UserError: as `open_stream`.
    """
    with open_stream(path) as stream:
        return sum(map(len, stream))


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a file by descriptor: its name may hold any bytes, its ending says nothing."""
    path = pathlib.Path(path)
    if path.is_symlink() and not path.exists():
        raise UserError(
            f"{path}: a link to {os.readlink(path)}, which is missing; restore that file"
        )
    if not path.is_file():
        raise UserError(f"{path}: no such file; give an existing audio file")
    try:
        with path.open("rb", buffering=0) as file:
            yield file
    except soundfile.LibsndfileError as error:
        raise UserError(
            f"{path}: not an audio file, damaged, or an unknown format"
            f" ({error.error_string}); convert it to wav, flac, ogg or mp3"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except MemoryError:
        raise UserError(f"{path}: too long for this machine's memory; cut it") from None


def _recordings(file: BinaryIO, name: str) -> list[BinaryIO | int]:
    """The recordings of a file, each with a header whose length does not cut it."""
    head = file.read(HEAD_BYTES)
    tag = mp3.tag_length(head)
    file.seek(tag)
    kind = file.read(4)
    file.seek(0)
    empty_data = _empty_data_chunk(head)
    is_mp3 = kind not in (b"fLaC", b"OggS") and (tag or mp3.starts_frame(kind))
    if kind not in (b"fLaC", b"OggS") and not is_mp3 and empty_data is None:
        return [file.fileno()]
    if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
        raise UserError(f"{name}: larger than {MAX_FILE_BYTES / 1e9:g} GB; cut it")
    content = file.read()
    if kind == b"OggS":
        return [io.BytesIO(part) for part in ogg.recordings(content)]
    if is_mp3:
        return [io.BytesIO(part) for part in mp3.recordings(content)]
    whole = io.BytesIO(content)
    with whole.getbuffer() as bytes_:
        if empty_data is not None:
            size = len(content) - empty_data - 4
            bytes_[empty_data : empty_data + 4] = struct.pack("<I", size)
        elif len(content) >= tag + FLAC_TOTAL.stop:
            bytes_[tag + FLAC_TOTAL.start] &= 0xF0
            bytes_[tag + FLAC_TOTAL.start + 1 : tag + FLAC_TOTAL.stop] = bytes(4)
    return [whole]


def _empty_data_chunk(head: bytes) -> int | None:
    """Place of the length of a WAV's data chunk if it is 0, as a recorder that was
    stopped leaves it; None if it is not."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    place = 12
    while place + 8 <= len(head):
        name, size = struct.unpack_from("<4sI", head, place)
        if name == b"data":
            return place + 4 if size == 0 else None
        place += 8 + size + size % 2
    return None

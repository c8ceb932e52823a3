"""Write audio as WAV, FLAC, Ogg Vorbis or MP3; equal samples give equal bytes."""

import enum
import io
import os
import pathlib
from typing import NamedTuple

import numpy as np

from stemjax.io.atomic import replacing
from stemjax.io.audio import write_wav
from stemjax.io.errors import UserError

FLAC_PEAK = 1 - 2.0**-23
COMPRESSION = 0.8
"""Compression level of libsndfile's Vorbis encoder, 0 to 1; about 50 kbit/s for mono."""
BLOCK = 1 << 16
"""Samples per write."""
FRAME = 1152
"""Samples of an MP3 frame: of a trial."""
# fields of an Ogg page (RFC 3533, sec. 6)
SERIAL = slice(14, 18)
CHECKSUM = slice(22, 26)
SEGMENTS = 26  # number of segments; their lengths follow


class AudioFormat(enum.Enum):
    """File format of audio; the value is the ending of file names."""

    WAV = "wav"
    """32-bit float."""
    FLAC = "flac"
    """24 bits."""
    OGG = "ogg"
    """Vorbis."""
    MP3 = "mp3"


class FileEncoder(NamedTuple):
    """Settings of libsndfile for a format."""

    container: str
    subtype: str
    compression_level: float | None = None
    max_rate: int = 768_000
    """Hz.  libsndfile's Vorbis encoder crashes above its limit."""


ENCODERS = {
    AudioFormat.FLAC: FileEncoder("FLAC", "PCM_24"),
    AudioFormat.OGG: FileEncoder("OGG", "VORBIS", COMPRESSION, max_rate=200_000),
    AudioFormat.MP3: FileEncoder("MP3", "MPEG_LAYER_III"),
}
"""Formats that libsndfile writes; WAV is written by `write_wav`."""


def write_audio(path: str | os.PathLike, audio: np.ndarray, rate: int) -> None:
    """Write [N] or [N, C] in the format that the ending of the path names.

    FLAC clips what is beyond full scale; Ogg and MP3 normalise a peak above 1 to 1.

    Raises:
      UserError: unknown ending, or channels or a rate that the format does not hold.
    """
    suffix = pathlib.Path(path).suffix.lower().lstrip(".")
    try:
        kind = AudioFormat(suffix)
    except ValueError:
        names = ", ".join(kind.value for kind in AudioFormat)
        raise UserError(
            f"{path}: unknown audio format; end the name with {names}"
        ) from None
    if kind is AudioFormat.WAV:
        write_wav(path, audio, rate)
    elif kind is AudioFormat.FLAC:
        write_flac(path, audio, rate)
    else:
        audio = audio / max(1.0, float(np.abs(audio).max(initial=0.0)))
        _write(path, kind, audio, rate)


def write_flac(path: str | os.PathLike, audio: np.ndarray, rate: int) -> None:
    """Write [N] or [N, C] as 24-bit FLAC; samples beyond full scale are clipped."""
    _write(path, AudioFormat.FLAC, np.clip(audio, -1.0, FLAC_PEAK), rate)


def _write(path, kind: AudioFormat, audio: np.ndarray, rate: int) -> None:
    try:
        file = _encoded(kind, audio, rate)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    with replacing(path) as part:
        part.write_bytes(with_serial(file, 1) if kind is AudioFormat.OGG else file)


def check_format(kind: AudioFormat, channels: int, rate: int) -> None:
    """Check, before any work, that a format holds these channels at this rate.

    Raises:
      UserError: it does not.
    """
    if kind is not AudioFormat.WAV:
        _encoded(kind, np.zeros((FRAME, channels), np.float32), rate)


def _encoded(kind: AudioFormat, audio: np.ndarray, rate: int) -> bytes:
    import soundfile

    encoder, file = ENCODERS[kind], io.BytesIO()
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    refusal = UserError(
        f"{kind.value} cannot hold {channels} channels at {rate} Hz; choose the format"
        " wav, or give a recording of one or two channels at a usual rate"
    )
    if rate > encoder.max_rate:
        raise refusal
    try:
        with soundfile.SoundFile(
            file,
            "w",
            rate,
            channels,
            format=encoder.container,
            subtype=encoder.subtype,
            compression_level=encoder.compression_level,
        ) as sink:
            for start in range(0, len(audio), BLOCK):
                sink.write(audio[start : start + BLOCK])
    except soundfile.LibsndfileError:
        raise refusal from None
    return file.getvalue()


def with_serial(ogg: bytes, serial: int) -> bytes:
    """Set the serial number of an Ogg stream, which encoders choose at random.

    Raises:
      ValueError: not Ogg pages.
    """
    pages, start = [], 0
    while start < len(ogg):
        count = ogg[start + SEGMENTS]
        lengths = ogg[start + SEGMENTS + 1 : start + SEGMENTS + 1 + count]
        end = start + SEGMENTS + 1 + count + sum(lengths)
        page = bytearray(ogg[start:end])
        if page[:4] != b"OggS":
            raise ValueError(f"no Ogg page at byte {start}")
        page[SERIAL] = serial.to_bytes(4, "little")
        page[CHECKSUM] = bytes(4)
        page[CHECKSUM] = checksum(bytes(page)).to_bytes(4, "little")
        pages.append(bytes(page))
        start = end
    return b"".join(pages)


def checksum(page: bytes) -> int:
    """CRC-32 of an Ogg page: polynomial 0x04c11db7, unreflected, initial value 0."""
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[value >> 24 ^ byte]
    return value


def _crc_of(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


_TABLE = [_crc_of(byte) for byte in range(256)]

"""Write audio as WAV, FLAC, Ogg Vorbis or MP3; equal samples give equal bytes."""

import enum
import io
import os
import pathlib

import numpy as np

from stemjax.io.atomic import replacing
from stemjax.io.audio import write_wav
from stemjax.io.errors import UserError

FLAC_PEAK = 1 - 2.0**-23
COMPRESSION = 0.8
"""Compression level of libsndfile's Vorbis encoder, 0 to 1; about 50 kbit/s for mono."""
BLOCK = 1 << 16
"""Samples per write."""
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


def write_audio(path: str | os.PathLike, audio: np.ndarray, rate: int) -> None:
    """Write [N] or [N, C] in the format that the ending of the path names.

    Raises:
      UserError: unknown ending, or a rate that the format does not support.
    """
    suffix = pathlib.Path(path).suffix.lower().lstrip(".")
    try:
        write = WRITERS[AudioFormat(suffix)]
    except ValueError:
        names = ", ".join(kind.value for kind in AudioFormat)
        raise UserError(
            f"{path}: unknown audio format; end the name with {names}"
        ) from None
    write(path, audio, rate)


def write_flac(path: str | os.PathLike, audio: np.ndarray, rate: int) -> None:
    """Write [N] or [N, C] as 24-bit FLAC; samples beyond full scale are clipped."""
    _write(path, np.clip(audio, -1.0, FLAC_PEAK), rate, "FLAC", "PCM_24")


def write_mp3(path: str | os.PathLike, audio: np.ndarray, rate: int) -> None:
    """Write [N] or [N, C] as MP3; a peak above 1 is normalised to 1."""
    _write(path, _within_full_scale(audio), rate, "MP3", "MPEG_LAYER_III")


def write_vorbis(path: str | os.PathLike, audio: np.ndarray, rate: int) -> None:
    """Write [N] or [N, C] as Ogg Vorbis; a peak above 1 is normalised to 1."""
    file = _encoded(
        _within_full_scale(audio), rate, "OGG", "VORBIS", compression_level=COMPRESSION
    )
    with replacing(path) as part:
        part.write_bytes(with_serial(file, 1))


WRITERS = {
    AudioFormat.WAV: write_wav,
    AudioFormat.FLAC: write_flac,
    AudioFormat.OGG: write_vorbis,
    AudioFormat.MP3: write_mp3,
}


def _within_full_scale(audio: np.ndarray) -> np.ndarray:
    return audio / max(1.0, float(np.abs(audio).max(initial=0.0)))


def _write(path, audio: np.ndarray, rate: int, kind: str, subtype: str) -> None:
    import soundfile

    try:
        file = _encoded(audio, rate, kind, subtype)
    except soundfile.LibsndfileError as error:
        raise UserError(
            f"{path}: {kind} cannot be written at {rate} Hz ({error}); choose another"
            " rate or wav"
        ) from None
    with replacing(path) as part:
        part.write_bytes(file)


def _encoded(audio: np.ndarray, rate: int, kind: str, subtype: str, **more) -> bytes:
    import soundfile

    file = io.BytesIO()
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    with soundfile.SoundFile(
        file, "w", rate, channels, format=kind, subtype=subtype, **more
    ) as sink:
        for start in range(0, len(audio), BLOCK):
            sink.write(audio[start : start + BLOCK])
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

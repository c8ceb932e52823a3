"""Audio files with false headers, as bytes."""

import io
import struct

import numpy as np
import soundfile

RATE = 44_100


def tone(seconds: float = 1.0, channels: int = 2, rate: int = RATE) -> np.ndarray:
    """[N, C] float32: a rising tone that starts loud, so that bit rates vary."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).uniform(-1, 1, len(time))
    wave = 0.3 * np.sin(2 * np.pi * 220 * time) + 0.3 * noise * (time < 0.1)
    return np.stack([wave] * channels, axis=1).astype(np.float32)


def encoded(kind: str, subtype: str, audio: np.ndarray, rate: int = RATE) -> bytes:
    """A file of libsndfile's format `kind`."""
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format=kind, subtype=subtype)
    return file.getvalue()


def with_flac_total(flac: bytes, samples: int) -> bytes:
    """The file with another number of samples (36 bits) in its header."""
    fields = int.from_bytes(flac[18:26], "big") >> 36 << 36 | samples
    return flac[:18] + fields.to_bytes(8, "big") + flac[26:]


def with_wav_field(wav: bytes, place: int, form: str, value: int) -> bytes:
    """The file with another value at a place of its header."""
    size = struct.calcsize(form)
    return wav[:place] + struct.pack(form, value) + wav[place + size :]

"""Read, check, resample, sum and write audio."""

import math
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.io.atomic import replacing
from stemjax.io.audio_files.bounds import MAX_SECONDS, check_audio

MIN_SECONDS = 1.0
"""Minimum length of a context or clip."""


def read_audio(
    path: str | os.PathLike, *, max_seconds: float = MAX_SECONDS
) -> tuple[np.ndarray, int]:
    """Read an audio file: wav, flac, ogg, mp3 and other formats of libsndfile.

    The file is decoded to its end, whatever length its header claims.

    Returns:
      Samples [N, C] float32, nominally in [-1, 1], and the rate in Hz.

    Raises:
      UserError: missing, not audio, empty, longer than `max_seconds`, or out of the
        bounds of `check_audio`.
    """
    from stemjax.io.audio_files.stream import open_stream

    with open_stream(path, max_seconds=max_seconds) as stream:
        audio = _joined(stream, stream.channels)
    return check_audio(audio, stream.rate, name=str(path)), stream.rate


def read_mono(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Read an audio file as the mean of its channels, with memory for one channel.

    Returns:
      Samples [N] float32 and the rate in Hz.

    Raises:
      UserError: as `read_audio`.
    """
    from stemjax.io.audio_files.stream import open_stream

    with open_stream(path) as stream:
        means = (
            check_audio(block, stream.rate, name=str(path)).mean(axis=1, keepdims=True)
            for block in stream
        )
        audio = _joined(means, 1)
    return check_audio(audio, stream.rate, name=str(path))[:, 0], stream.rate


def _joined(blocks: Iterable[np.ndarray], channels: int) -> np.ndarray:
    """Join blocks [n, C] in one buffer that grows: no second copy of the audio."""
    audio, filled = np.empty((0, channels), np.float32), 0
    for block in blocks:
        if filled + len(block) > len(audio):
            size = max(filled + len(block), len(audio) * 5 // 4)
            audio.resize((size, channels), refcheck=False)
        audio[filled : filled + len(block)] = block
        filled += len(block)
    audio.resize((filled, channels), refcheck=False)
    return audio


def resample(audio: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """Resample audio [N] or [N, C] to round(N * to_rate / rate) samples (soxr, HQ)."""
    if rate == to_rate:
        return audio
    import soxr

    length = round(len(audio) * to_rate / rate)
    out = soxr.resample(audio, rate, to_rate, quality="HQ")[:length]
    short = length - len(out)
    return np.pad(out, ((0, short),) + ((0, 0),) * (out.ndim - 1)) if short else out


def to_mono(audio: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """Average the channels of audio [N, C] and resample it: [N'] float32."""
    return resample(np.ascontiguousarray(audio.mean(axis=1)), rate, to_rate)


class OneGainSum(NamedTuple):
    """Sum of tracks within full scale."""

    audio: np.ndarray
    """[N] or [N, C] float32: `total` divided by its peak if that passes 1."""
    total: np.ndarray
    """[N] or [N, C] float32: the sum before the gain."""
    gain: float
    """Gain that all tracks share, 1 / peak rounded to float32; 1 if nothing clips."""


def sum_with_one_gain(tracks: Sequence[np.ndarray]) -> OneGainSum:
    """Sum tracks of one shape in float32, in order, with one common gain.

    The gain is 1 unless the peak of the sum passes 1.
    """
    total = np.array(tracks[0], np.float32)
    for track in tracks[1:]:
        total += track
    peak = np.float32(max(1.0, np.abs(total).max(initial=0.0)))
    return OneGainSum(total / peak, total, float(1 / peak))


def write_wav(path: str | os.PathLike, audio: np.ndarray, rate: int) -> None:
    """Write [N] or [N, C] as 32-bit float WAV, atomically.

    Equal samples and rates give equal bytes; libsndfile would add the time of day.
    """
    import scipy.io.wavfile

    with replacing(path) as part:
        scipy.io.wavfile.write(part, rate, np.asarray(audio, np.float32))


def rms_db(audio: np.ndarray) -> float:
    """RMS level in dB re full scale; -inf for digital silence."""
    power = float(np.mean(np.square(audio, dtype=np.float64)))
    return 10 * math.log10(power) if power > 0 else -math.inf

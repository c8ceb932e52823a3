"""Audio files in and out: any rate and channels in, 32-bit float WAV out."""

import math
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stemjax.io.atomic import replacing
from stemjax.io.errors import UserError

MIN_SECONDS = 1.0


def read_audio(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Read what soundfile reads (wav, flac, ogg, mp3, ...).

    Returns:
      Samples [N, C] float32, nominally in [-1, 1], and the rate in Hz.

    Raises:
      UserError: missing, not audio, empty, or holding NaN or Inf.
    """
    import soundfile

    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give an existing audio file")
    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UserError(
            f"{path}: not an audio file that can be read ({error});"
            " convert it to wav, flac, ogg or mp3"
        ) from None
    return check_audio(audio, rate, name=str(path)), rate


def check_audio(audio: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """Audio [N] or [N, C] as checked float32 [N, C].

    Raises:
      UserError: wrong rank or rate, empty, or holding NaN or Inf.
    """
    audio = np.asarray(audio, dtype=np.float32)
    if audio.ndim == 1:
        audio = audio[:, None]
    if audio.ndim != 2 or audio.shape[1] < 1:
        raise UserError(f"{name}: audio must be [N] or [N, C], got {audio.shape}")
    if rate < 1:
        raise UserError(f"{name}: sample rate must be positive, got {rate}")
    if not len(audio):
        raise UserError(f"{name}: holds no samples; give a recording of >= 1 s")
    if not np.isfinite(audio).all():
        raise UserError(f"{name}: holds NaN or Inf samples; export it again")
    return audio


def resample(audio: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """Audio [N] or [N, C] at another rate (soxr HQ): round(N * to_rate / rate) long."""
    if rate == to_rate:
        return audio
    import soxr

    length = round(len(audio) * to_rate / rate)
    out = soxr.resample(audio, rate, to_rate, quality="HQ")[:length]
    short = length - len(out)
    return np.pad(out, ((0, short),) + ((0, 0),) * (out.ndim - 1)) if short else out


def to_mono(audio: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """Channel mean of [N, C] at `to_rate`, [N'] float32."""
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
    """Write [N] or [N, C] as 32-bit float WAV, whole or not at all.

    The bytes depend on the samples and the rate alone (libsndfile would add the time).
    """
    import scipy.io.wavfile

    with replacing(path) as part:
        scipy.io.wavfile.write(part, rate, np.asarray(audio, np.float32))


def rms_db(audio: np.ndarray) -> float:
    """Root mean square in dB re full scale; -inf for digital silence."""
    power = float(np.mean(np.square(audio, dtype=np.float64)))
    return 10 * math.log10(power) if power > 0 else -math.inf

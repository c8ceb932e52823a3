"""Read, check, resample, sum and write audio."""

import math
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.io.atomic import replacing
from stemjax.io.errors import UserError

MIN_SECONDS = 1.0
"""Minimum length of a context or clip."""
MAX_SECONDS = 7200.0
"""Maximum length of a recording."""
MAX_SAMPLES = 400_000_000
"""Most samples of a recording, all channels together: 1.6 GB as float32."""
MAX_CHANNELS = 64
MIN_RATE = 4_000
"""Hz; a lower rate in a header is a fault of the header."""
MAX_RATE = 768_000
"""Hz."""
MAX_PEAK = 100.0
"""Largest sample, +40 dB re full scale; PCM integers kept as floats are far above it."""
SILENT_PEAK = 1e-6
"""Audio below it, -120 dB re full scale, is taken as digital silence."""
PCM_SCALES = {"int8": 2.0**7, "uint8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
"""Full scale of integer PCM; uint8 is offset by 128, as in WAV."""
FLOATS = ("float16", "float32", "float64")


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
    from stemjax.io.audio_stream import open_stream

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
    from stemjax.io.audio_stream import open_stream

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


def check_audio(audio: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """Check audio [N] or [N, C] and convert it to float32 [N, C].

    These bounds hold for every recording that is handed in, from a file, an array or the
    page: `check_header`, `MAX_SECONDS`, and of each channel the bounds of `to_float32`.

    Args:
      audio: see `to_float32`.
      rate: Hz.
      name: name of the recording in messages.

    Raises:
      UserError: another shape or type, empty, or out of bounds.
    """
    audio = _as_array(audio, name)
    if audio.ndim == 1:
        audio = audio[:, None]
    if audio.ndim != 2:
        raise UserError(f"{name}: audio must be [N] or [N, C], got {audio.shape}")
    check_header(audio.shape[1], rate, name=name)
    if not len(audio):
        raise UserError(f"{name}: holds no samples; give a recording of >= 1 s")
    if len(audio) > MAX_SECONDS * rate:
        raise UserError(f"{name}: {too_long(MAX_SECONDS)}")
    return to_float32(audio, name=name)


def to_float32(audio: np.ndarray, *, name: str) -> np.ndarray:
    """Convert samples of any shape to float32, full scale 1.

    Integer PCM is scaled by its type; audio whose peak is below -120 dB becomes zeros.

    Args:
      audio: int8, uint8, int16 or int32 PCM, or float16, float32 or float64.
      name: name of the recording in messages.

    Raises:
      UserError: another type, NaN or Inf samples, or a peak above `MAX_PEAK`.
    """
    audio = _as_array(audio, name)
    kind = audio.dtype.name
    if kind in PCM_SCALES:
        offset = 128 if kind == "uint8" else 0
        return (audio.astype(np.float32) - offset) / np.float32(PCM_SCALES[kind])
    peak = max(float(audio.max(initial=0)), -float(audio.min(initial=0)))
    if not math.isfinite(peak):
        raise UserError(f"{name}: holds NaN or Inf samples; export it again")
    if peak > MAX_PEAK:
        raise UserError(
            f"{name}: peaks at {peak:.3g}, at most {MAX_PEAK:g}; scale it so that full"
            " scale is 1"
        )
    if peak < SILENT_PEAK:
        return np.zeros(audio.shape, np.float32)
    return audio.astype(np.float32, copy=False)


def _as_array(audio: np.ndarray, name: str) -> np.ndarray:
    """Audio as an array of an accepted type."""
    try:
        audio = np.asarray(audio)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{name}: not an array of audio ({error})") from None
    if audio.dtype.name not in (*PCM_SCALES, *FLOATS):
        raise UserError(
            f"{name}: samples of type {audio.dtype}; give float, or int8, uint8, int16"
            " or int32 PCM"
        )
    return audio


def check_header(channels: int, rate: int, *, name: str) -> None:
    """Check the channels and the rate of a recording.

    Raises:
      UserError: out of bounds.
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise UserError(
            f"{name}: {channels} channels, at most {MAX_CHANNELS}; give audio [N, C] with"
            " time first, or export the file again"
        )
    try:
        is_usable = MIN_RATE <= rate <= MAX_RATE and int(rate) == rate
    except (TypeError, ValueError):
        is_usable = False
    if not is_usable:
        raise UserError(
            f"{name}: sample rate {rate} Hz, must be {MIN_RATE} to {MAX_RATE}; export it"
            " again at its true rate"
        )


def too_long(max_seconds: float) -> str:
    """What is wrong with a recording that is longer than `max_seconds`."""
    return f"longer than {max_seconds:g} s; cut it"


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

"""Bounds of every recording: types, shapes, rates, lengths, peaks."""

import math

import numpy as np

from stemjax.io.errors import UserError

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

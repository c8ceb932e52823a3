"""Levels as in Slakh: stems of equal loudness, one gain per song, exact int16 sums."""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

STEM_LUFS = -13.0
PEAK_DB = -1.0
SILENT_DB = -70.0
"""RMS below which a stem is silent."""


class Levelled(NamedTuple):
    """Stems at their final level."""

    stems: dict[int, np.ndarray]
    """[N] int16 by program."""
    mix: np.ndarray
    """[N] int16, the exact sum of the stems."""
    loudness: dict[int, float]
    """LUFS before normalisation, by program."""
    overall_gain: float
    silent: list[int]
    """Programs of silent stems, which are left out."""


def rms_db(audio: np.ndarray) -> float:
    """RMS of [N] in dB; -120 for silence."""
    return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-12))


def loudness_lufs(audio: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness (ITU-R BS.1770) of [N]; -inf if too quiet or short."""
    import pyloudnorm

    meter = pyloudnorm.Meter(sample_rate)
    if len(audio) < meter.block_size * sample_rate:
        return -np.inf
    with warnings.catch_warnings():  # log of zero, mean of no block
        warnings.simplefilter("ignore", RuntimeWarning)
        value = meter.integrated_loudness(audio.astype(np.float64))
    return float(value) if np.isfinite(value) else -np.inf


def level_stems(
    raw: dict[int, np.ndarray],
    sample_rate: int,
    gains_db: Mapping[int, float] | None = None,
) -> Levelled:
    """Bring every stem to -13 LUFS, then apply one gain so that the mix peaks at -1 dB.

    A stem that peaks above the mix (stems may cancel) determines the gain instead, so
    that nothing clips and mix == sum of stems holds exactly in int16.

    Args:
      raw: [N] float32 by program.
      gains_db: level of each stem relative to -13 LUFS; None: all equally loud.
    """
    loudness = {
        stem: loudness_lufs(x, sample_rate) if rms_db(x) > SILENT_DB else -np.inf
        for stem, x in raw.items()
    }
    kept = [stem for stem in raw if np.isfinite(loudness[stem])]
    silent = [stem for stem in raw if stem not in kept]
    if not kept:
        return Levelled({}, np.zeros(0, np.int16), {}, 0.0, silent)
    aims = {stem: STEM_LUFS + (gains_db or {}).get(stem, 0.0) for stem in kept}
    even = {
        stem: raw[stem] * np.float32(10 ** ((aims[stem] - loudness[stem]) / 20))
        for stem in kept
    }
    peaks = [np.abs(audio).max() for audio in even.values()]
    peak = max(np.abs(sum(even.values())).max(), *peaks)
    gain = float(10 ** (PEAK_DB / 20) / peak)
    stems = {
        stem: np.round(audio * gain * 32768).astype(np.int16)
        for stem, audio in even.items()
    }
    mix = sum(audio.astype(np.int32) for audio in stems.values()).astype(np.int16)
    return Levelled(stems, mix, {s: loudness[s] for s in kept}, gain, silent)

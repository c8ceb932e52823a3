"""Loudness rule of stems in a mix.

Each stem is mixed 3 LU below the context of the session, for any number of layers.
Source: stems of the training set's test songs are 3.3 LU below their accompaniment
(median of 60; quartiles 5.2 and 1.8 LU).  The gain is limited to 12 dB, so that a nearly
silent stem stays quiet.  With a silent context, stems have -23 LUFS (EBU R 128).
"""

import math

import numpy as np

from stemjax.analysis.loudness import integrated_lufs

BELOW_LU = 3.0
MAX_GAIN_DB = 12.0
SILENT_CONTEXT_LUFS = -20.0
"""Loudness that stands for that of a silent context."""


def stem_gain_db(stem: np.ndarray, context: np.ndarray, rate: int) -> float:
    """Gain, dB, that mixes a stem [N] with the context [N] of its session."""
    stem_lufs = integrated_lufs(stem, rate)
    context_lufs = integrated_lufs(context, rate)
    if stem_lufs == -math.inf:
        return 0.0
    if context_lufs == -math.inf:
        context_lufs = SILENT_CONTEXT_LUFS
    gain = context_lufs - BELOW_LU - stem_lufs
    return float(np.clip(gain, -MAX_GAIN_DB, MAX_GAIN_DB))


def from_db(decibels: float) -> np.float32:
    """Convert decibels to an amplitude factor."""
    return np.float32(10 ** (decibels / 20))

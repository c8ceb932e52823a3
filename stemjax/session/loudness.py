"""How loud a stem is mixed in (integrated loudness, ITU-R BS.1770-4, by pyloudnorm).

A stem is set 3 LU below the session's context, the same for each layer, however many
there are: real stems of the training set's test songs lie 3.3 LU below what sounds beside
them (median of 60; the middle half 5.2 to 1.8 LU).  It is moved by 12 dB at most, so that
an answer that rests stays quiet.  A session from silence has stems of -23 LUFS (EBU
R 128).
"""

import math
import warnings

import numpy as np

BELOW_LU = 3.0
MOST_DB = 12.0
SILENT_CONTEXT_LUFS = -20.0  # as loud as a silent context counts
SHORTEST_SECONDS = 0.4  # a block of the measure


def integrated_lufs(audio: np.ndarray, rate: int) -> float:
    """Loudness of [N] or [N, C], up to five channels; -inf where all is below the gate.

    Raises:
      ValueError: less than a block of 0.4 s.
    """
    import pyloudnorm

    if len(audio) < SHORTEST_SECONDS * rate:
        raise ValueError(f"{len(audio)} samples at {rate} Hz are less than 0.4 s")
    with warnings.catch_warnings():  # log of zero: silence, said by -inf
        warnings.simplefilter("ignore", RuntimeWarning)
        found = pyloudnorm.Meter(rate).integrated_loudness(np.asarray(audio, float))
    return float(found) if math.isfinite(found) else -math.inf


def stem_gain_db(stem: np.ndarray, context: np.ndarray, rate: int) -> float:
    """By how many dB a stem [N] is turned up beside the session's context [N]."""
    own, beside = integrated_lufs(stem, rate), integrated_lufs(context, rate)
    if own == -math.inf:
        return 0.0
    if beside == -math.inf:
        beside = SILENT_CONTEXT_LUFS
    return float(np.clip(beside - BELOW_LU - own, -MOST_DB, MOST_DB))


def from_db(decibels: float) -> np.float32:
    """A factor of amplitude."""
    return np.float32(10 ** (decibels / 20))

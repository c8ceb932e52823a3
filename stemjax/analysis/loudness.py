"""Integrated loudness (ITU-R BS.1770-4), measured by pyloudnorm."""

import math
import warnings

import numpy as np

BLOCK_SECONDS = 0.4
"""Block length of the measurement."""


def integrated_lufs(audio: np.ndarray, rate: int) -> float:
    """Loudness of [N] or [N, C], C <= 5; -inf if every block is below the gate.

    Raises:
      ValueError: shorter than one block of 0.4 s.
    """
    import pyloudnorm

    if len(audio) < BLOCK_SECONDS * rate:
        raise ValueError(f"{len(audio)} samples at {rate} Hz are less than 0.4 s")
    with warnings.catch_warnings():  # log of zero for silence
        warnings.simplefilter("ignore", RuntimeWarning)
        loudness = pyloudnorm.Meter(rate).integrated_loudness(np.asarray(audio, float))
    return float(loudness) if math.isfinite(loudness) else -math.inf

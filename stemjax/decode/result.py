"""Result of a generation."""

import dataclasses
from typing import Any

import numpy as np

from stemjax.io.audio import rms_db, sum_with_one_gain

SILENT_DB = -60.0
"""RMS level, dB re full scale, below which audio counts as silent."""


@dataclasses.dataclass(frozen=True)
class Result:
    """Result of one generation: stem, mix, tokens, settings."""

    stem: np.ndarray
    """[N] float32 at `sample_rate`, as long as the context."""
    mix: np.ndarray
    """[N] float32: gain * (context + stem)."""
    context: np.ndarray
    """[N] float32: the context, mono, at `sample_rate`."""
    sample_rate: int
    """Hz."""
    gain: float
    """Gain of the mix; below 1 only if the sum would clip."""
    tokens: np.ndarray
    """[Q, T] int32: codes of the stem."""
    context_tokens: np.ndarray
    """[Q, T] int32: codes of the context."""
    order: np.ndarray
    """[Q, T] int32: the decoding step, from 1, that revealed a token; 0 if it was kept."""
    settings: dict[str, Any]
    """All settings of the decoding as JSON values."""
    seconds: dict[str, float]
    """Duration of the audio and of each stage, s."""
    warnings: tuple[str, ...]
    """Messages for the user."""


def make_result(
    context: np.ndarray,
    stem: np.ndarray,
    *,
    sample_rate: int,
    tokens: np.ndarray,
    context_tokens: np.ndarray,
    order: np.ndarray,
    settings: dict[str, Any],
    seconds: dict[str, float],
) -> Result:
    """Mix a stem [N] with its context [N]; warn if the stem is silent.

    The other arguments are fields of `Result`.
    """
    stem = np.asarray(stem, np.float32)
    summed = sum_with_one_gain([context, stem])
    warnings = ()
    if (level := rms_db(stem)) < SILENT_DB:
        warnings = (
            f"the stem is nearly silent ({level:.0f} dB): try another seed, lower"
            " guidance scales (1.5 1.5) or another instrument",
        )
    return Result(
        stem=stem,
        mix=np.float32(summed.gain) * summed.total,
        context=context,
        sample_rate=sample_rate,
        gain=summed.gain,
        tokens=tokens,
        context_tokens=context_tokens,
        order=order,
        settings=settings,
        seconds=seconds,
        warnings=warnings,
    )

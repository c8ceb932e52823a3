"""What a decoding gives back: a stem, how it sounds with its context, and what of it."""

import dataclasses
from typing import Any

import numpy as np

from stemjax.io.audio import rms_db

SILENT_DB = -60.0


@dataclasses.dataclass(frozen=True)
class Result:
    """One generated stem at the model's rate (32 kHz), as long as the context.

    stem, mix: [N] float32; `mix = gain * (context + stem)`, gain 1 unless that clips.
    tokens: [Q, T] int32.  order: [Q, T] int32, the decoding step that revealed a token.
    settings: every setting of the decoding, JSON values.  warnings: plain sentences.
    """

    stem: np.ndarray
    mix: np.ndarray
    context: np.ndarray
    sample_rate: int
    gain: float
    tokens: np.ndarray
    order: np.ndarray
    settings: dict[str, Any]
    seconds: dict[str, float]
    warnings: tuple[str, ...]


def mixed(
    context: np.ndarray,
    stem: np.ndarray,
    *,
    sample_rate: int,
    tokens: np.ndarray,
    order: np.ndarray,
    settings: dict[str, Any],
    seconds: dict[str, float],
) -> Result:
    """A stem with the mix of it and its context [N]; warns of one that is silent."""
    stem = np.asarray(stem, np.float32)
    total = context + stem
    gain = float(1 / max(1.0, np.abs(total).max()))
    warnings = ()
    if (level := rms_db(stem)) < SILENT_DB:
        warnings = (
            f"the stem is nearly silent ({level:.0f} dB): try another seed, lower"
            " guidance scales (1.5 1.5) or another instrument",
        )
    return Result(
        stem=stem,
        mix=np.float32(gain) * total,
        context=context,
        sample_rate=sample_rate,
        gain=gain,
        tokens=tokens,
        order=order,
        settings=settings,
        seconds=seconds,
        warnings=warnings,
    )

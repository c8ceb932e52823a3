"""Clips that a caller hands over as arrays."""

from collections.abc import Sequence

import numpy as np


def numbered_ids(real: Sequence, generated: Sequence) -> list[str]:
    """Ids of the examples, in order.

    Raises:
      UserError: another number of real than of generated clips.
    """
    from stemjax.io.errors import UserError

    if len(real) != len(generated):
        raise UserError(f"{len(real)} real clips, but {len(generated)} generated ones")
    return [f"{k:08d}" for k in range(len(real))]


def at_analysis_rate(population: Sequence[np.ndarray], rate: int) -> list[np.ndarray]:
    """Clips [N] at `rate` Hz, resampled to 16 kHz and padded to whole seconds."""
    from stemjax.analysis.audio import resample, whole_seconds

    return [
        whole_seconds(np.asarray(resample(np.asarray(clip), rate), np.float32))
        for clip in population
    ]

"""A Frechet distance of two populations with all that helps to read it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax.config.streams import Stream
from stemjax.eval.metrics import frechet
from stemjax.eval.metrics.fad_inf import MIN_CLIPS, fad_inf
from stemjax.eval.metrics.jackknife import Estimate, jackknife
from stemjax.eval.metrics.kad import kad
from stemjax.io.random import generator

KAD_VECTORS = 8_000  # its cost grows with their square


def measure(
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    group: np.ndarray,
    ids: Sequence[str],
    *,
    extrapolates: bool = True,
    seed: int = 0,
) -> tuple[Estimate, dict[str, Any]]:
    """The distance with its jackknife, and further numbers as JSON values.

    real, generated: vectors [P, D] of each clip, in the order of `ids`.
    group: [C] int of `jackknife.assign_groups`.

    extrapolates: whether `infinity`, which takes hundreds of distances, is wanted.

    `relative` is the distance over the trace of the real covariance; `infinity` the
    value for infinitely many clips, left out below 20; `kad` the kernel distance of at
    most 8,000 vectors a side, which has no bias that depends on their number.
    """
    estimate = jackknife(frechet.group_statistic(real, generated, group, ids), group)
    moments = frechet.moments(np.concatenate(real))
    trace = float(np.trace(moments.scatter) / (moments.n - 1))
    more: dict[str, Any] = {
        "patches": int(sum(map(len, generated))),
        "real_trace": trace,
        "relative": estimate.value / trace if trace else None,
        "kad": kad(_some(real, seed), _some(generated, seed), seed=seed).value,
    }
    if extrapolates and len(ids) >= MIN_CLIPS:
        line = fad_inf(real, generated, group, ids, seed=seed)
        more["infinity"] = {
            "value": line.value,
            "se": line.se,
            "slope": line.slope,
            "r_squared": line.r_squared,
        }
    return estimate, more


def _some(clips: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """All vectors, or a random subset of `KAD_VECTORS`."""
    vectors = np.concatenate(clips)
    if len(vectors) <= KAD_VECTORS:
        return vectors
    rng = generator(seed, Stream.KAD_VECTORS)
    return vectors[np.sort(rng.choice(len(vectors), KAD_VECTORS, replace=False))]

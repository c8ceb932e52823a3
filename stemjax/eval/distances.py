"""Distances between populations of clips, as plain functions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stemjax.eval.populations.plain_clips import at_analysis_rate, numbered_ids

if TYPE_CHECKING:
    from stemjax.eval.metrics.fad_inf import FadInf
    from stemjax.eval.metrics.mirdd import MirddResult


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Squared Frechet distance between Gaussians fitted to two vector sets.

        |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

    with covariances over n - 1.  It is FAD if the vectors are embeddings of VGGish.  Its
    bias is about c / n: compare values of equal n, or use `frechet_inf`.

    Source: Dowson and Landau 1982; Kilgour et al. 2019 (arXiv 1812.08466).

    Args:
      x: [N, D], N at least 2.
      y: [M, D], M at least 2.

    Returns:
      The distance, at least 0, in squared units of the vectors.

    Raises:
      UserError: other shapes, or values that are not finite.
    """
    from stemjax.eval.metrics.frechet import frechet

    return frechet(x, y).value


def frechet_inf(
    real: Sequence[np.ndarray], generated: Sequence[np.ndarray], *, seed: int = 0
) -> "FadInf":
    """Frechet distance extrapolated to infinitely many clips.

    A line through the distances of random subsets against 1 / clips.  Clips are drawn,
    not vectors, since vectors of one clip are not independent.

    Source: Chong and Forsyth 2020 (arXiv 1911.07023); Gui et al. 2023 (arXiv 2311.01616).

    Args:
      real: vectors [n, D] of each of C clips, C at least 20.
      generated: the same; clip i belongs to the same example as clip i of `real`.
      seed: of the subsets and the jackknife groups.

    Returns:
      `value`, which may be below 0, its standard error `se`, and the line.

    Raises:
      UserError: fewer than 20 clips, another number of clips, or bad vectors.
    """
    from stemjax.eval.metrics import fad_inf
    from stemjax.eval.metrics.jackknife import assign_groups

    ids = numbered_ids(real, generated)
    group = assign_groups(ids, seed=seed)
    return fad_inf.fad_inf(real, generated, group, ids, seed=seed)


def kernel_distance(x: np.ndarray, y: np.ndarray, *, seed: int = 0) -> float:
    """Kernel audio distance (KAD): 100 times the unbiased squared MMD of two vector sets.

    The kernel is Gaussian; its bandwidth is the median distance within `x`.  The
    expectation does not depend on the number of vectors; for equal distributions the
    value is below 0 about half the time.

    Source: Chung et al. 2025 (arXiv 2502.15602).

    Args:
      x: [N, D] reference vectors, N at least 2.
      y: [M, D], M at least 2.
      seed: of the subset for the median if N is above 2000.

    Raises:
      UserError: other shapes, values that are not finite, or a median distance of 0.
    """
    from stemjax.eval.metrics.kad import kad

    return kad(x, y, seed=seed).value


def mirdd(
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    *,
    rate: int = 16_000,
    seed: int = 0,
) -> "MirddResult":
    """Music information retrieval descriptor distance (MIRDD) of two sets of mixes.

    Mean over eleven descriptors (key, chords, beats, notes ...) of the KL divergence
    between their distributions.  The mixes hold context and stem.  Values depend on the
    analysis and the smoothing: compare only values of this implementation.

    Source: StemGen, sec. 3.1 (arXiv 2312.08723).

    Args:
      real: mixes, each mono audio [N] of at least 1 s.
      generated: mixes; with equal numbers, mix i has the context of mix i of `real`.
      rate: sample rate of all mixes, Hz.
      seed: of the jackknife groups and the null distribution.

    Returns:
      `mirdd.estimate.value` in nats with its standard error and its null distribution,
      `mirdd_nine` over nine descriptors, and the divergences `by_descriptor`.
    """
    from stemjax.analysis.extract import analyse_music
    from stemjax.eval.metrics import mirdd as module
    from stemjax.eval.metrics.histograms import histograms
    from stemjax.eval.metrics.mixes import in_batches

    rows = [
        np.stack(
            [
                histograms(a)
                for a in in_batches(at_analysis_rate(side, rate), analyse_music)
            ]
        )
        for side in (real, generated)
    ]
    return module.mirdd(*rows, seed=seed)

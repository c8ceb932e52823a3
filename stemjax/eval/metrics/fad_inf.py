"""Frechet distances whose populations have few clips; host, float64.

The distance of two finite samples of one distribution is about c / n, with n the number
of clips: vectors of one clip are not independent.  `fad_inf` extrapolates to infinitely
many clips (Chong and Forsyth 2020, arXiv 1911.07023; for audio Gui et al. 2023,
arXiv 2311.01616), `at_size` compares populations at a common n, `per_clip` rates single
clips.  Clips are subsampled without replacement, the same examples from the real and the
generated population: were only one side made small, the other's bias would remain.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stemjax.config.streams import Stream
from stemjax.eval.metrics import frechet
from stemjax.eval.metrics.frechet import Moments
from stemjax.eval.metrics.jackknife import from_leave_outs
from stemjax.io.errors import UserError
from stemjax.io.random import generator

NUM_SIZES = 15
NUM_REPEATS = 5
SMALLEST = 1 / 5  # of the clips, in the smallest subset
MIN_CLIPS = 20  # below it the smallest subset has under four clips


class FadInf(NamedTuple):
    """The line distance = value + slope / n_clips; `value` below zero is possible."""

    value: float
    slope: float
    r_squared: float
    se: float  # of `value`
    sizes: np.ndarray  # [P] clips in the subsets
    distances: np.ndarray  # [repeats, P]


def fad_inf(
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    group: np.ndarray,
    ids: Sequence[str],
    *,
    seed: int = 0,
) -> FadInf:
    """Least-squares line through distances of subsets against 1 / n_clips.

    15 sizes linear in 1/n from a fifth of the clips to all, 5 times; within one time the
    subsets are nested (the first clips of one permutation), so each vector is read once.
    The standard error is a jackknife of the first of the 5: for each group the same
    subsets without its clips, against 1 / the clips left in them.

    real, generated: vectors [n, D] of each clip, in the order of `ids`.
    group: [C] int, from `jackknife.assign_groups`.

    Raises:
      UserError: fewer than 20 clips, or a bad clip, named.
    """
    frechet.check_clips(real, ids)
    frechet.check_clips(generated, ids)
    C = len(ids)
    if C < MIN_CLIPS:
        raise UserError(f"FAD-inf needs {MIN_CLIPS} clips or more, got {C}")
    inverse = np.linspace(1 / (SMALLEST * C), 1 / C, NUM_SIZES)
    sizes = np.unique(np.round(1 / inverse).astype(int))
    names, group_sizes = np.unique(group, return_counts=True)
    distances = np.empty((NUM_REPEATS, len(sizes)))
    # of the first repeat: each subset without each group, and the clips left in it
    without = np.empty((2, len(names), len(sizes)))
    rng = generator(seed, Stream.FAD_SUBSETS)
    for repeat in range(NUM_REPEATS):
        order = rng.permutation(C)
        so_far = None
        for p, chosen in enumerate(np.split(order, sizes[:-1])):
            cells = [chosen]
            if repeat == 0:
                cells = [chosen[group[chosen] == g] for g in names]
            new = [_with_and_without(clips, cells) for clips in (real, generated)]
            so_far = new if so_far is None else _extend(so_far, new)
            distances[repeat, p], *others = (
                frechet.frechet_from_moments(a, b).value
                for a, b in zip(*so_far, strict=True)
            )
            if repeat == 0:
                is_left = group[order[: sizes[p]], None] != names
                without[:, :, p] = others, is_left.sum(axis=0)
    value, slope, r_squared = _line(np.tile(1 / sizes, NUM_REPEATS), distances.ravel())
    first, _, _ = _line(1 / sizes, distances[0])
    deleted = [_line(1 / left, found)[0] for found, left in zip(*without, strict=True)]
    se = from_leave_outs(first, deleted, group_sizes).se
    return FadInf(value, slope, r_squared, se, sizes, distances)


def at_size(
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    n: int,
    ids: Sequence[str],
    *,
    repeats: int = 20,
    seed: int = 0,
) -> float:
    """Mean distance over random subsets of n of the clips, to compare tables of n.

    Raises:
      UserError: fewer than n clips, or a bad clip, named.
    """
    frechet.check_clips(real, ids)
    frechet.check_clips(generated, ids)
    if not 1 <= n <= len(ids):
        raise UserError(f"FAD at {n} clips: there are {len(ids)}")
    rng = generator(seed, Stream.FAD_SUBSETS)
    # all clips are one subset, however often it is drawn
    draws = repeats if n < len(ids) else 1
    values = []
    for _ in range(draws):
        chosen = np.sort(rng.choice(len(ids), n, replace=False))
        pair = [_pooled(clips, chosen) for clips in (real, generated)]
        values.append(frechet.frechet_from_moments(*pair).value)
    return float(np.mean(values))


def per_clip(
    reference: Moments, clips: Sequence[np.ndarray], ids: Sequence[str]
) -> np.ndarray:
    """Distance of each clip's own vectors [n, D] to a population, [C] float64.

    NaN for a clip of one vector, which has no covariance.  For ranking clips: the bias
    of so few vectors is far above that of populations.

    Raises:
      UserError: a bad clip, named.
    """
    frechet.check_clips(clips, ids)
    population = frechet.gaussian(reference)
    return np.array(
        [
            frechet.between(population, frechet.gaussian_of(x)).value
            if len(x) > 1
            else np.nan
            for x in clips
        ]
    )


def _pooled(clips: Sequence[np.ndarray], chosen: np.ndarray) -> Moments:
    """Moments of all vectors of the chosen clips, of which there may be none."""
    D = clips[0].shape[1]
    return frechet.moments(
        np.concatenate([np.zeros((0, D)), *(clips[i] for i in chosen)])
    )


def _with_and_without(clips, cells: Sequence[np.ndarray]) -> list[Moments]:
    """Moments of the clips of all cells; of several, then of all but each cell."""
    parts = [_pooled(clips, cell) for cell in cells]
    if len(parts) == 1:
        return parts
    return [frechet.merge(parts), *frechet.leave_one_out(parts)]


def _extend(so_far, new) -> list[list[Moments]]:
    return [
        [frechet.merge(pair) for pair in zip(old, more, strict=True)]
        for old, more in zip(so_far, new, strict=True)
    ]


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Intercept, slope and R^2 of the least-squares line through points [n]."""
    dx, dy = x - x.mean(), y - y.mean()
    slope = (dx @ dy) / (dx @ dx)
    residual = dy - slope * dx
    r_squared = 1 - (residual @ residual) / (dy @ dy) if dy.any() else 1.0
    return float(y.mean() - slope * x.mean()), float(slope), float(r_squared)

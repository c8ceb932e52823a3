"""MIRDD: distance between the music of two populations of mixes (StemGen, sec. 3.1).

KL divergence from the real to the generated distribution of each descriptor, averaged
over the descriptors.  The paper does not specify more; the kernel, the smoothing and the
weights below are this project's, and only values with the same settings are comparable.

Two populations of the same music differ by chance, so each value comes with its null
distribution (the members of random pairs are swapped) and with a jackknife over pairs.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np

from stemjax.config.streams import Stream
from stemjax.eval.metrics.histograms import (
    DESCRIPTORS,
    RELATIVE_DESCRIPTORS,
    Descriptor,
    block_slices,
)
from stemjax.eval.metrics.jackknife import NUM_GROUPS, Estimate, from_leave_outs
from stemjax.io.random import generator

LAPLACE_ALPHA = 0.5
"""Clips added to every bin; all values depend on it."""
NUM_SWAPS = 200
"""Populations of the null distribution."""
NUM_SUBSETS = 20
"""Draws from the larger population if the sizes differ."""


class Divergences(NamedTuple):
    """Divergences in nats, [..., K] over K descriptors or a mean over them.

    P is the real distribution, Q the generated one.
    """

    kl: np.ndarray
    """[..., K] sum P log(P / Q)."""
    reverse: np.ndarray
    """[..., K] sum Q log(Q / P)."""
    symmetric: np.ndarray
    """[..., K] mean of `kl` and `reverse`."""
    js: np.ndarray
    """[..., K] Jensen-Shannon divergence, at most log 2."""


class MirddDistance(NamedTuple):
    """A mean KL divergence in nats with its null distribution."""

    estimate: Estimate
    """The value, jackknifed over pairs; `jackknife.difference` compares two systems."""
    null_mean: float
    """Mean over populations with swapped pairs."""
    null_median: float
    """Median over populations with swapped pairs."""
    null_95: float
    """95 % quantile over populations with swapped pairs."""
    adjusted: float
    """The value minus `null_mean`."""


class MirddResult(NamedTuple):
    """MirddDistance of a generated population from a real one."""

    mirdd: MirddDistance
    """Mean over all eleven descriptors."""
    mirdd_nine: MirddDistance
    """Mean without beats per bar and structure."""
    mean: Divergences
    """Means over all eleven descriptors."""
    by_descriptor: dict[str, Divergences]
    """Divergences of each descriptor, by name."""
    n: int
    """Number of clips of each population, or of the smaller one if the sizes differ."""


def mirdd(
    real: np.ndarray,
    generated: np.ndarray,
    *,
    group: np.ndarray | None = None,
    seed: int = 0,
) -> MirddResult:
    """MIRDD of two populations of `histograms`.

    Args:
      real: [N, B], one row per clip, in the order of the sorted ids.
      generated: [N, B], row i has the context of row i of `real`. With another number
        of rows there are no pairs: 20 subsets of the larger population are drawn and
        all numbers are means over them.
      group: [N] of `jackknife.assign_groups`. If it is None or the sizes differ, 20
        groups are drawn.
      seed: of all draws.

    Raises:
      ValueError: no clip, or rows of the wrong length.
    """
    result = _over_subsets(_eleven, real, generated, group, seed, DESCRIPTORS)
    return result._replace(n=int(result.n))


def mirdd_rel(
    real: np.ndarray,
    generated: np.ndarray,
    *,
    group: np.ndarray | None = None,
    seed: int = 0,
) -> MirddDistance:
    """Distance of two populations of `relative_histograms`.

    It shows a misfit that stays hidden in a population in all keys.  A diagnostic, not
    part of MIRDD.  Arguments and errors as `mirdd`.
    """
    table = RELATIVE_DESCRIPTORS
    return _over_subsets(_relative, real, generated, group, seed, table)


def divergences(
    real: np.ndarray,
    generated: np.ndarray,
    n: np.ndarray | int,
    descriptors: tuple[Descriptor, ...] = DESCRIPTORS,
) -> Divergences:
    """Divergences [..., K] of population means [..., B] over `n` [...] clips.

    The means are blurred along ordinal bins and smoothed to (n P + 0.5) / (n + 0.5 B_k).
    """
    columns = []
    for descriptor, block in block_slices(descriptors):
        p = _smoothed(real[..., block], n, descriptor)
        q = _smoothed(generated[..., block], n, descriptor)
        middle = (p + q) / 2
        kl, reverse = _kl(p, q), _kl(q, p)
        js = (_kl(p, middle) + _kl(q, middle)) / 2
        columns.append((kl, reverse, (kl + reverse) / 2, js))
    return Divergences(*(np.stack(c, axis=-1) for c in zip(*columns, strict=True)))


def _over_subsets(measure, real, generated, group, seed, table):
    """`measure` of two populations of one size, otherwise its mean over subsets."""
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    num_bins = sum(descriptor.num_bins for descriptor in table)
    for rows in (real, generated):
        if rows.ndim != 2 or rows.shape[1] != num_bins or not len(rows):
            raise ValueError(f"need [N >= 1, {num_bins}] histograms, got {rows.shape}")
    n = min(len(real), len(generated))
    if group is None or len(real) != len(generated):
        group = generator(seed, Stream.MIRDD_GROUPS).permutation(n) % min(NUM_GROUPS, n)
    is_left_out = group == np.unique(group)[:, None]
    if len(is_left_out) == 1:
        is_left_out = is_left_out[:0]  # one group: no leave-outs
    if len(real) == len(generated):
        return measure(real, generated, is_left_out, seed)
    rng = generator(seed, Stream.MIRDD_SUBSETS)
    results = [
        measure(
            real[rng.permutation(len(real))[:n]],
            generated[rng.permutation(len(generated))[:n]],
            is_left_out,
            seed,
        )
        for _ in range(NUM_SUBSETS)
    ]
    return jax.tree.map(lambda *leaves: sum(leaves) / NUM_SUBSETS, *results)


def _eleven(real, generated, is_left_out: np.ndarray, seed: int) -> MirddResult:
    point, swapped, deleted = _reweighted(
        real, generated, is_left_out, seed, DESCRIPTORS
    )
    sizes = is_left_out.sum(axis=1)
    is_in_nine = np.array([descriptor.is_in_nine for descriptor in DESCRIPTORS])
    nine = (kl[..., is_in_nine] for kl in (point.kl, swapped.kl, deleted.kl))
    return MirddResult(
        mirdd=_distance(point.kl, swapped.kl, deleted.kl, sizes),
        mirdd_nine=_distance(*nine, sizes),
        mean=Divergences(*(float(np.mean(values)) for values in point)),
        by_descriptor={
            descriptor.name: Divergences(*(float(values[k]) for values in point))
            for k, descriptor in enumerate(DESCRIPTORS)
        },
        n=len(real),
    )


def _relative(real, generated, is_left_out: np.ndarray, seed: int) -> MirddDistance:
    parts = _reweighted(real, generated, is_left_out, seed, RELATIVE_DESCRIPTORS)
    sizes = is_left_out.sum(axis=1)
    return _distance(*(part.kl for part in parts), sizes)


def _reweighted(real, generated, is_left_out, seed, descriptors) -> list[Divergences]:
    """Divergences of all clips [K], with swapped pairs [200, K], without groups [G, K].

    real, generated: [N, B].  is_left_out: [G, N] bool.
    """
    n = len(real)
    swaps = generator(seed, Stream.MIRDD_SWAPS).random((NUM_SWAPS, n)) < 0.5
    moved = swaps.astype(np.float64) @ (generated - real)
    counts = np.concatenate([np.full(1 + NUM_SWAPS, n), n - is_left_out.sum(axis=1)])

    def means(rows: np.ndarray, moved: np.ndarray) -> np.ndarray:
        total = rows.sum(axis=0)
        left_out = is_left_out.astype(np.float64) @ rows
        sums = np.concatenate([total[None], total + moved, total - left_out])
        return sums / counts[:, None]

    p, q = means(real, moved), means(generated, -moved)
    result = divergences(p, q, counts, descriptors)
    ends = [1, 1 + NUM_SWAPS]
    point, swapped, deleted = zip(*(np.split(v, ends) for v in result), strict=True)
    return [
        Divergences(*(v[0] for v in point)),
        Divergences(*swapped),
        Divergences(*deleted),
    ]


def _distance(point, swapped, deleted, sizes: np.ndarray) -> MirddDistance:
    """Distance from KL by descriptor: [K], [200, K], [G, K]; sizes [G] of the groups."""
    value = float(point.mean())
    null = swapped.mean(axis=1)
    return MirddDistance(
        estimate=from_leave_outs(value, deleted.mean(axis=1), sizes),
        null_mean=float(null.mean()),
        null_median=float(np.median(null)),
        null_95=float(np.quantile(null, 0.95)),
        adjusted=value - float(null.mean()),
    )


def _smoothed(means: np.ndarray, n, descriptor: Descriptor) -> np.ndarray:
    n = np.asarray(n, np.float64)[..., None]
    blurred = means @ _kernel(descriptor)
    return (n * blurred + LAPLACE_ALPHA) / (n + LAPLACE_ALPHA * descriptor.num_bins)


@functools.cache
def _kernel(descriptor: Descriptor) -> np.ndarray:
    """[bins, bins] blur: row k distributes the mass of bin k; rows sum to 1.

    The bin NONE has no neighbours and keeps its mass.
    """
    kernel = np.eye(descriptor.num_bins)
    if descriptor.kernel_sd:
        m = descriptor.num_bins - descriptor.has_none
        steps = np.arange(m) - np.arange(m)[:, None]
        gauss = np.exp(-((steps / descriptor.kernel_sd) ** 2) / 2)
        kernel[:m, :m] = gauss / gauss.sum(axis=1, keepdims=True)
    return kernel


def _kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.sum(p * np.log(p / q), axis=-1)

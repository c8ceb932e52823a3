"""MIRDD: distance between the music of two populations of mixes (StemGen, sec. 3.1).

KL divergence from the real to the generated distribution of each descriptor, averaged
over the descriptors. The paper says no more; the kernel, the smoothing and the weights
below are this project's, and only values with the same ones may be compared.

Two populations with the same music differ by chance, so each value comes with its null
(the members of random pairs are swapped) and with a jackknife over pairs.
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
"""Clips added to every bin; the scale of all values hangs on it."""
NUM_SWAPS = 200
NUM_SUBSETS = 20
"""Draws from the larger population where the sizes differ."""


class Divergences(NamedTuple):
    """Nats; each [..., K] over K descriptors, or a mean over them."""

    kl: np.ndarray
    """sum P log(P / Q), P the real, Q the generated distribution."""
    reverse: np.ndarray
    """sum Q log(Q / P)."""
    symmetric: np.ndarray
    """Mean of the two."""
    js: np.ndarray
    """Jensen-Shannon: at most log 2."""


class Distance(NamedTuple):
    """A mean KL divergence in nats beside what it is for populations of one kind."""

    estimate: Estimate
    """With the jackknife over pairs; `jackknife.difference` compares two systems."""
    null_mean: float
    null_median: float
    null_95: float
    """95 % of the populations with swapped pairs lie at or below it."""
    adjusted: float
    """The value minus `null_mean`."""


class MirddResult(NamedTuple):
    """Distance of a generated population from a real one."""

    mirdd: Distance
    """Over all eleven descriptors."""
    mirdd_nine: Distance
    """Without beats per bar and structure."""
    mean: Divergences
    """Over all eleven descriptors."""
    by_descriptor: dict[str, Divergences]
    n: int
    """Clips of each population; of the smaller one where the sizes differ."""


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
      generated: [N, B], row i made for the context of row i of `real`. With another
        number of rows no pairs are known: 20 subsets of the larger side are drawn and
        all numbers are means over them.
      group: [N] of `jackknife.assign_groups`; None, or sizes that differ: groups of 1/20
        of the rows, drawn.
      seed: of all draws.

    Raises:
      ValueError: no clip, or rows of another length than the table's.
    """
    result = _over_subsets(_eleven, real, generated, group, seed, DESCRIPTORS)
    return result._replace(n=int(result.n))


def mirdd_rel(
    real: np.ndarray,
    generated: np.ndarray,
    *,
    group: np.ndarray | None = None,
    seed: int = 0,
) -> Distance:
    """The same of `relative_histograms`: misfit that a population in all keys hides.

    A diagnostic beside MIRDD, no part of it. Arguments and errors as there.
    """
    table = RELATIVE_DESCRIPTORS
    return _over_subsets(_relative, real, generated, group, seed, table)


def divergences(
    real: np.ndarray,
    generated: np.ndarray,
    n: np.ndarray | int,
    descriptors: tuple[Descriptor, ...] = DESCRIPTORS,
) -> Divergences:
    """Of population means [..., B] over `n` [...] clips, to [..., K].

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
    """`measure` of two populations of one size; its mean over subsets otherwise."""
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
        is_left_out = is_left_out[:0]  # nothing is left without the only group
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


def _relative(real, generated, is_left_out: np.ndarray, seed: int) -> Distance:
    parts = _reweighted(real, generated, is_left_out, seed, RELATIVE_DESCRIPTORS)
    sizes = is_left_out.sum(axis=1)
    return _distance(*(part.kl for part in parts), sizes)


def _reweighted(real, generated, is_left_out, seed, descriptors) -> list[Divergences]:
    """Of all clips [K], with swapped pairs [200, K], without each group [G, K].

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


def _distance(point, swapped, deleted, sizes: np.ndarray) -> Distance:
    """From KL per descriptor: [K], [200, K] and [G, K] with the groups' sizes [G]."""
    value = float(point.mean())
    null = swapped.mean(axis=1)
    return Distance(
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
    """[bins, bins]: where the mass of each bin (row) goes; rows sum to 1.

    NONE is no neighbour of any value and keeps its mass.
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

"""Frechet distance between Gaussians fitted to two sets of vectors; host, float64.

    d2 = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

(Dowson and Landau 1982; FAD: Kilgour et al. 2019, arXiv 1812.08466), with covariances
over n - 1.  Statistics are counts, means and scatter matrices, merged by the formula of
Chan, Golub and LeVeque (1983): sums over clips stream in a fixed order, and a population
without some of its clips needs no second pass over the vectors.

With F^T F = S the trace of the root is the sum of the singular values of F1 F2^T.  If
both sets have more vectors than dimensions, these are the roots of the eigenvalues of
F1 S2 F1^T, which is faster.  Otherwise they come from an SVD of factors with as many rows
as the covariance has rank, because the roots of eigenvalues that are zero except for
rounding would add up.  No matrix square root is formed; nothing is added to a covariance.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.io.errors import UserError

ROUNDING = 1e-6
"""Share of the traces by which rounding may bring a distance below zero."""


class Moments(NamedTuple):
    """The sufficient statistics of a set of vectors."""

    n: int
    """Number of vectors."""
    mean: np.ndarray
    """[D] float64."""
    scatter: np.ndarray
    """[D, D] float64: sum of (x - mean) (x - mean)^T."""


class Gaussian(NamedTuple):
    """A normal distribution of any rank."""

    mean: np.ndarray
    """[D] float64."""
    factor: np.ndarray
    """[R, D] float64; the covariance is factor^T factor."""


class FrechetDistance(NamedTuple):
    """A squared Frechet distance."""

    value: float
    """The distance, at least 0."""
    raw: float
    """The distance as computed; rounding may bring it below 0."""


def moments(vectors: np.ndarray, name: str = "vectors") -> Moments:
    """Moments of vectors [N, D]; N may be 0.  Errors mention `name`, a clip's id.

    Raises:
      UserError: another shape, or values that are not finite.
    """
    _check_vectors(vectors, name)
    x = np.asarray(vectors, np.float64)
    mean = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
    centred = x - mean
    return Moments(len(x), mean, centred.T @ centred)


def merge(parts: Iterable[Moments]) -> Moments:
    """Moments of the union, folded from the left, so the result is exact to the bit."""
    parts = iter(parts)
    first = next(parts)
    n, mean, scatter = first.n, first.mean.copy(), first.scatter.copy()
    for part in parts:
        if not part.n:
            continue
        total = n + part.n
        delta = part.mean - mean
        scatter += part.scatter
        scatter += np.outer(delta, delta) * (n * part.n / total)
        mean += delta * (part.n / total)
        n = total
    return Moments(n, mean, scatter)


def leave_one_out(parts: Sequence[Moments]) -> list[Moments]:
    """Moments of all other parts, for each of two or more parts.

    Parts are merged from both ends, three merges for each, so nothing is subtracted and
    no digits cancel, however far away the left-out part is.
    """
    before = after = [moments(np.zeros((0, len(parts[0].mean))))]
    for left, right in zip(parts[:-1], parts[:0:-1], strict=True):
        before = [*before, merge([before[-1], left])]
        after = [merge([right, after[0]]), *after]
    return [merge(ends) for ends in zip(before, after, strict=True)]


def check_clips(clips: Sequence[np.ndarray], ids: Sequence[str]) -> None:
    """Check that all clips are finite vectors [n, D] of one D, with n at least 1.

    Raises:
      UserError: a clip that is not, named.
    """
    for x, name in zip(clips, ids, strict=True):
        _check_vectors(x, name)
        if not len(x):
            raise UserError(f"{name}: has no embedding vectors; it may be too short")
        if x.shape[1] != clips[0].shape[1]:
            raise UserError(
                f"{name}: {x.shape[1]} dimensions, but {ids[0]} has {clips[0].shape[1]}"
            )


def population(clips: Sequence[np.ndarray], ids: Sequence[str]) -> Moments:
    """Moments of all clips' vectors [n, D], merged in order; errors of `check_clips`."""
    check_clips(clips, ids)
    return merge(map(moments, clips, ids))


def frechet_from_moments(a: Moments, b: Moments) -> FrechetDistance:
    """Squared Frechet distance of two sets given by their moments.

    Raises:
      UserError: a set of fewer than two vectors, moments that are not finite, or sets
        of different D.
      ArithmeticError: a result below zero by more than rounding (`ROUNDING`).
    """
    D = len(a.mean)
    if min(a.n, b.n) <= D:
        return between(gaussian(a), gaussian(b))
    _check_widths(a.mean, b.mean)
    factor, covariance = _full_factor(a), _covariance(b)
    product = factor @ covariance @ factor.T
    eigenvalues = np.linalg.eigvalsh((product + product.T) / 2)
    root = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    traces = np.trace(_covariance(a)) + np.trace(covariance)
    return _distance(a.mean - b.mean, traces, root)


def frechet(x: np.ndarray, y: np.ndarray) -> FrechetDistance:
    """Squared Frechet distance of vectors [N, D] and [M, D], N and M at least 2.

    Errors: as `moments` and `frechet_from_moments`.
    """
    D = np.shape(x)[-1]
    if min(len(x), len(y)) > D:
        return frechet_from_moments(moments(x), moments(y))
    return between(gaussian_of(x), gaussian_of(y))


def between(a: Gaussian, b: Gaussian) -> FrechetDistance:
    """Squared Frechet distance of two Gaussians of any rank.

    Raises:
      UserError: Gaussians of different D.
      ArithmeticError: a result below zero by more than rounding.
    """
    _check_widths(a.mean, b.mean)
    root = np.linalg.svd(a.factor @ b.factor.T, compute_uv=False).sum()
    traces = np.sum(a.factor**2) + np.sum(b.factor**2)
    return _distance(a.mean - b.mean, traces, root)


def gaussian(m: Moments) -> Gaussian:
    """Gaussian with moments `m`; its factor consists of the covariance's eigenvectors.

    n vectors span n - 1 dimensions about their mean; further eigenvalues are rounding
    errors and are dropped.
    """
    eigenvalues, vectors = np.linalg.eigh(_covariance(m))
    rank = min(len(m.mean), m.n - 1)
    scale = np.sqrt(np.maximum(eigenvalues[-rank:], 0))
    return Gaussian(m.mean, scale[:, None] * vectors[:, -rank:].T)


def _full_factor(m: Moments) -> np.ndarray:
    """F [R, D] with F^T F the covariance.

    By Cholesky's decomposition, at a tenth of the cost of eigenvectors, or by eigenvectors
    if the covariance is singular.
    """
    try:
        return np.linalg.cholesky(_covariance(m)).T
    except np.linalg.LinAlgError:
        return gaussian(m).factor


def gaussian_of(vectors: np.ndarray, name: str = "vectors") -> Gaussian:
    """Gaussian of vectors [N, D]; with N <= D the centred vectors are its factor."""
    m = moments(vectors, name)
    if m.n > len(m.mean):
        return gaussian(m)
    _check_count(m.n)
    return Gaussian(m.mean, (np.asarray(vectors) - m.mean) / np.sqrt(m.n - 1))


def group_statistic(
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    group: np.ndarray,
    ids: Sequence[str],
) -> Callable[[np.ndarray], float]:
    """Frechet distance of two paired populations as a statistic for `jackknife`.

    Args:
      real, generated: vectors [n, D] of each clip, in the order of `ids`.
      group: [C] int, group of each clip.
      ids: of the clips, for errors.

    Returns:
      Function: is_kept [C] bool -> distance over the kept clips.  It merges the moments
      of whole groups, so `is_kept` must not split one.
    """
    populations = []
    for clips in (real, generated):
        check_clips(clips, ids)
        by_group = {
            int(g): merge(moments(clips[i], ids[i]) for i in np.flatnonzero(group == g))
            for g in np.unique(group)
        }
        populations.append(by_group)

    def statistic(is_kept: np.ndarray) -> float:
        kept = np.unique(group[is_kept])
        if np.isin(group[~is_kept], kept).any():
            raise ValueError("is_kept splits a group")
        of_real, of_generated = (
            merge(by_group[int(g)] for g in kept) for by_group in populations
        )
        return frechet_from_moments(of_real, of_generated).value

    return statistic


def _covariance(m: Moments) -> np.ndarray:
    _check_count(m.n)
    if not (np.isfinite(m.mean).all() and np.isfinite(m.scatter).all()):
        raise UserError("NaN or infinity in the moments of a population")
    return m.scatter / (m.n - 1)


def _check_vectors(x: np.ndarray, name: str) -> None:
    if np.ndim(x) != 2:
        raise UserError(f"{name}: embeddings must be [N, D], got {list(np.shape(x))}")
    if not np.isfinite(x).all():
        raise UserError(f"{name}: NaN or infinity in the embeddings; remove the clip")


def _check_count(n: int) -> None:
    if n < 2:
        raise UserError(f"a covariance needs two vectors or more, got {n}")


def _check_widths(a: np.ndarray, b: np.ndarray) -> None:
    if len(a) != len(b):
        raise UserError(
            f"embeddings have {len(a)} and {len(b)} dimensions; use one embedding"
        )


def _distance(offset: np.ndarray, traces: float, root: float) -> FrechetDistance:
    raw = float(offset @ offset + traces - 2 * root)
    if not raw >= -ROUNDING * traces:  # also when it is NaN
        raise ArithmeticError(
            f"Frechet distance {raw:g} with traces {traces:g}: a scatter matrix is not"
            " positive semi-definite"
        )
    return FrechetDistance(max(raw, 0.0), raw)

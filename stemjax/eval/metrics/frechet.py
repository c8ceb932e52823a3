"""Frechet distance between Gaussians fitted to two sets of vectors; host, float64.

    d2 = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

(Dowson and Landau 1982; FAD: Kilgour et al. 2019, arXiv 1812.08466), with covariances
over n - 1.  Statistics are counts, means and scatter matrices, merged by the formula of
Chan, Golub and LeVeque (1983), so that sums over clips stream in a fixed order and a
population without some of its clips costs no second pass over the vectors.

With F^T F = S the trace of the root is the sum of the singular values of F1 F2^T.  When
both sets have more vectors than dimensions they are taken as the roots of the eigenvalues
of F1 S2 F1^T, which is faster; otherwise by the SVD of factors with no more rows than
the covariance has rank, for the roots of eigenvalues that are zero but for rounding
would add up.  No matrix square root is formed and nothing is added to a covariance.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.io.errors import UserError

ROUNDING = 1e-6  # of the traces: how far below zero a distance may be computed


class Moments(NamedTuple):
    """The sufficient statistics of a set of vectors."""

    n: int
    mean: np.ndarray  # [D] float64
    scatter: np.ndarray  # [D, D] float64, the sum of (x - mean) (x - mean)^T


class Gaussian(NamedTuple):
    """A mean [D] and a factor [R, D] of the covariance: factor^T factor."""

    mean: np.ndarray
    factor: np.ndarray


class Distance(NamedTuple):
    """A squared Frechet distance; `raw` may be below zero by rounding, `value` not."""

    value: float
    raw: float


def moments(vectors: np.ndarray, name: str = "vectors") -> Moments:
    """Moments of vectors [N, D]; N may be 0. `name` (a clip's id) is for the error.

    Raises:
      UserError: not [N, D], or NaN or infinity among the values.
    """
    _check_vectors(vectors, name)
    x = np.asarray(vectors, np.float64)
    mean = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
    centred = x - mean
    return Moments(len(x), mean, centred.T @ centred)


def merge(parts: Iterable[Moments]) -> Moments:
    """Moments of the union, folded from the left: one order, one result to the bit."""
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
    """For each of two or more parts, the moments of all the others.

    Merged from both ends, so nothing is subtracted and nothing cancels, however far the
    left-out part lies; three merges per part.
    """
    before = after = [moments(np.zeros((0, len(parts[0].mean))))]
    for left, right in zip(parts[:-1], parts[:0:-1], strict=True):
        before = [*before, merge([before[-1], left])]
        after = [merge([right, after[0]]), *after]
    return [merge(ends) for ends in zip(before, after, strict=True)]


def check_clips(clips: Sequence[np.ndarray], ids: Sequence[str]) -> None:
    """Refuse clips that are not each vectors [n, D] of one D, all finite, n at least 1.

    Raises:
      UserError: naming the clip.
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
    """Moments of all clips' vectors [n, D], merged in order; raises as `check_clips`."""
    check_clips(clips, ids)
    return merge(map(moments, clips, ids))


def frechet_from_moments(a: Moments, b: Moments) -> Distance:
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


def frechet(x: np.ndarray, y: np.ndarray) -> Distance:
    """Squared Frechet distance of vectors [N, D] and [M, D], N and M at least 2.

    Raises: as `moments` and `frechet_from_moments`.
    """
    D = np.shape(x)[-1]
    if min(len(x), len(y)) > D:
        return frechet_from_moments(moments(x), moments(y))
    return between(gaussian_of(x), gaussian_of(y))


def between(a: Gaussian, b: Gaussian) -> Distance:
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
    """The Gaussian of `m`, its factor from the eigenvectors of the covariance.

    n vectors span n - 1 dimensions about their mean: of more eigenvalues than that, the
    smallest are rounding and are left out.
    """
    eigenvalues, vectors = np.linalg.eigh(_covariance(m))
    rank = min(len(m.mean), m.n - 1)
    scale = np.sqrt(np.maximum(eigenvalues[-rank:], 0))
    return Gaussian(m.mean, scale[:, None] * vectors[:, -rank:].T)


def _full_factor(m: Moments) -> np.ndarray:
    """F [R, D] with F^T F the covariance: Cholesky's, a tenth of the eigenvectors' cost.

    A covariance of lower rank has none and takes the eigenvectors.
    """
    try:
        return np.linalg.cholesky(_covariance(m)).T
    except np.linalg.LinAlgError:
        return gaussian(m).factor


def gaussian_of(vectors: np.ndarray, name: str = "vectors") -> Gaussian:
    """The Gaussian of vectors [N, D]; with N <= D the centred vectors are the factor."""
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
    """The distance of two paired populations as a statistic for `jackknife`.

    real, generated: vectors [n, D] of each clip, in the order of `ids`.
    group: [C] int, the group of each clip.

    Returns: is_kept [C] bool -> distance over the kept clips.  Each clip is read once,
      now; a call merges the moments of whole groups, so `is_kept` must not split one.
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
            raise ValueError("a group is kept in part")
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
            f"embeddings of {len(a)} and of {len(b)} dimensions cannot be compared"
        )


def _distance(offset: np.ndarray, traces: float, root: float) -> Distance:
    raw = float(offset @ offset + traces - 2 * root)
    if not raw >= -ROUNDING * traces:  # also when it is NaN
        raise ArithmeticError(
            f"Frechet distance {raw:g} with traces {traces:g}: a scatter matrix is not"
            " positive semi-definite"
        )
    return Distance(max(raw, 0.0), raw)

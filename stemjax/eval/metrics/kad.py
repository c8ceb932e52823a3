"""Kernel audio distance (Chung et al. 2025, arXiv 2502.15602); host, float64.

The unbiased squared maximum mean discrepancy with a Gaussian kernel,

    100 * (mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i,j} k(x_i, y_j))
    k(a, b) = exp(-|a - b|^2 / (2 sigma^2))

where sigma is the median distance between reference vectors.  Its expectation does not
depend on the number of vectors.  For equal distributions the value is below zero about
half the time; it is not clipped.
"""

import math
from typing import NamedTuple

import numpy as np

from stemjax.config.streams import Stream
from stemjax.io.errors import UserError
from stemjax.io.random import generator

SCALE = 100.0
MEDIAN_VECTORS = 2000
"""Most vectors of the random subset for the median."""
ROUNDING = 1e-12
"""Squared distances below this share of the largest squared norm are rounding errors."""
TILE = 1024
"""Rows and columns of the kernel matrix in memory at a time."""


class Kad(NamedTuple):
    """A kernel distance."""

    value: float
    """100 times the unbiased squared maximum mean discrepancy."""
    sigma: float
    """Bandwidth of the kernel, in units of the vectors."""


def kad(
    reference: np.ndarray,
    generated: np.ndarray,
    *,
    seed: int = 0,
) -> Kad:
    """Kernel audio distance of vectors [N, D] and [M, D], N and M at least 2.

    Args:
      reference, generated: the vectors.
      seed: of the subset for the median.

    Raises:
      UserError: shapes that do not match, values that are not finite, or a median
        distance of zero.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(generated, np.float64)
    for name, vectors in (("reference", x), ("generated", y)):
        if vectors.ndim != 2 or len(vectors) < 2 or vectors.shape[1] != x.shape[1]:
            raise UserError(
                f"KAD: {name} embeddings of shape {list(vectors.shape)}; needs two"
                " vectors or more of one width"
            )
        if not np.isfinite(vectors).all():
            raise UserError(f"KAD: NaN or infinity in the {name} embeddings")
    sigma = median_distance(x, seed=seed)
    if sigma == 0:
        raise UserError(
            "KAD: most vectors of the reference set are equal, as of silence; it has no"
            " bandwidth"
        )
    # |a - b|^2 is taken from dot products: about the mean they cancel least
    centre = x.mean(axis=0)
    x, y = (x - centre) / sigma, (y - centre) / sigma
    N, M = len(x), len(y)
    same_x = (_kernel_sum(x, x) - N) / (N * (N - 1))  # k(a, a) = 1
    same_y = (_kernel_sum(y, y) - M) / (M * (M - 1))
    cross = _kernel_sum(x, y) / (N * M)
    return Kad(float(SCALE * (same_x + same_y - 2 * cross)), sigma)


def median_distance(vectors: np.ndarray, *, seed: int = 0) -> float:
    """Median Euclidean distance of the pairs of a random subset of vectors [N, D].

    0 if it is within rounding of 0.
    """
    if len(vectors) > MEDIAN_VECTORS:
        rng = generator(seed, Stream.KAD_BANDWIDTH)
        chosen = rng.choice(len(vectors), MEDIAN_VECTORS, replace=False)
        vectors = vectors[np.sort(chosen)]
    x = vectors - vectors.mean(axis=0)  # about the mean dot products cancel least
    squares = np.einsum("nd,nd->n", x, x)
    apart = squares[:, None] + squares - 2 * (x @ x.T)
    pairs = np.concatenate([row[i + 1 :] for i, row in enumerate(apart)])
    median = float(np.median(pairs))
    return math.sqrt(median) if median > ROUNDING * squares.max() else 0.0


def _kernel_sum(x: np.ndarray, y: np.ndarray) -> float:
    """Sum of exp(-|a - b|^2 / 2) over rows a of x [N, D] and b of y [M, D].

    In tiles; of a set with itself, the tiles above the diagonal count twice.
    """
    is_same = y is x
    half_x, half_y = (np.einsum("nd,nd->n", z, z) / 2 for z in (x, y))
    total = 0.0
    for i in range(0, len(x), TILE):
        rows = slice(i, i + TILE)
        for j in range(i if is_same else 0, len(y), TILE):
            columns = slice(j, j + TILE)
            exponent = x[rows] @ y[columns].T
            exponent -= half_x[rows, None]
            exponent -= half_y[columns]
            np.minimum(exponent, 0, out=exponent)  # rounding, where a = b
            weight = 2 if is_same and j > i else 1
            total += weight * float(np.exp(exponent, out=exponent).sum())
    return total

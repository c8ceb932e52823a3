"""Initialization of code embeddings from the codec's codebooks (Assumption A25).

Code numbers have no order, but codes that sound alike have nearby codebook vectors.  A
model that starts from projections of these vectors need not learn that from data.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from stemjax.config.model import StemGenConfig

STREAMS = ("target_embed", "context_embed")


def start_from_codebooks(
    key: jax.Array, params: Mapping[str, Any], codebooks: jax.Array, cfg: StemGenConfig
) -> dict[str, Any]:
    """Parameters with projected codebook vectors as code embeddings.

    The sum over a frame's levels is then a projection of the codec's latent of that
    frame: half whitened, on its principal axes.  All levels and both streams share one
    projection, so a sound has the same embedding in each.  The variance of the sum stays
    that of the random initialization.  The rows of MASK and the null context stay.

    Args:
      key: random key of the projection.
      params: from `stemjax.models.stemgen.init`.
      codebooks: [Q, V, D'] of the codec.
      cfg: the model's config.

    Returns: a new tree; `params` is unchanged.
    """
    half = cfg.transformer.width // 2
    books = codebooks - jnp.mean(codebooks, axis=1, keepdims=True)
    covariance = jnp.einsum("qvd,qve->de", books, books) / books.shape[1]
    power, axes = jnp.linalg.eigh(covariance)  # ascending
    kept = min(half, len(power))
    power, axes = power[-kept:], axes[:, -kept:]
    axes = axes * jnp.maximum(power, 1e-6 * power[-1]) ** -0.25
    spread = jax.random.orthogonal(key, max(half, kept))[:kept, :half]
    rows = books @ (axes @ spread)  # [Q, V, D/2]
    levels = cfg.num_codebooks
    variance = jnp.sum(jnp.mean(rows**2, axis=(1, 2)))
    rows = rows * jnp.sqrt(levels / (levels + 1) / variance)
    out = dict(params)
    for name in STREAMS:
        if name in params:
            table = params[name]["embedding"]
            table = table.at[:, : cfg.codebook_size].set(rows)
            out[name] = {**params[name], "embedding": table}
    return out

"""Code embeddings that start from the codec's codebooks (Assumption A25).

Codes are numbers in no order; codes that sound alike have neighbouring codebook vectors.
A model that starts from projections of those vectors need not learn that from data.
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
    """Parameters whose code rows are projected codebook vectors.

    One random orthogonal projection serves all levels and both streams, so a code means
    the same in each; every level has the variance it has without this.  The rows of MASK
    and of the null context stay as they are.

    Args:
      params: of `stemjax.models.stemgen.init`.
      codebooks: [Q, V, D'] of the codec.
    """
    half = cfg.transformer.width // 2
    size = max(half, codebooks.shape[-1])
    projection = jax.random.orthogonal(key, size)[: codebooks.shape[-1], :half]
    rows = codebooks @ projection  # [Q, V, D/2]
    rows = rows - jnp.mean(rows, axis=1, keepdims=True)
    spread = jnp.sqrt(jnp.mean(rows**2, axis=(1, 2), keepdims=True))
    rows = rows / spread * (cfg.num_codebooks + 1) ** -0.5
    out = dict(params)
    for name in STREAMS:
        if name in params:
            table = params[name]["embedding"]
            table = table.at[:, : cfg.codebook_size].set(rows)
            out[name] = {**params[name], "embedding": table}
    return out

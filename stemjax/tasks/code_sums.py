"""Break-down of a masked-code loss into sums and counts (StemGen, sec. 2.1).

Sums per example first, then per group of examples: level, mask ratio, dropped sources.
Metrics name levels as the paper does, level_1 the coarsest.
"""

import jax
import jax.numpy as jnp

from stemjax.arrays.cross_entropy import token_cross_entropy
from stemjax.tasks.task import Sums

RATIO_BUCKETS = 4  # quarters of the mask ratio
DROP_PATTERNS = ("none", "context", "condition", "both")


def token_terms(logits, codes, is_counted) -> dict[str, jax.Array]:
    """Each example's sums over counted tokens: loss (nats), right, count; [B] each."""
    weights = is_counted.astype(jnp.float32)
    is_right = jnp.argmax(logits, axis=-1) == codes
    return {
        "loss": jnp.sum(token_cross_entropy(logits, codes) * weights, axis=-1),
        "right": jnp.sum(is_right * weights, axis=-1),
        "count": jnp.sum(weights, axis=-1),
    }


def total(terms, kind: str):
    return jnp.sum(terms[kind]), jnp.sum(terms["count"])


def grouped(terms, title: str, group, names, kinds=None) -> Sums:
    """Sums per group of examples: group [B] int32 indexes `names`."""
    kinds = kinds or {"loss": "loss", "accuracy": "right"}
    sums = {}
    for i, name in enumerate(names):
        is_in = (group == i).astype(jnp.float32)
        for metric, kind in kinds.items():
            sums[f"{metric}/{title}_{name}"] = (
                jnp.sum(terms[kind] * is_in),
                jnp.sum(terms["count"] * is_in),
            )
    return sums


def bucket(ratio: jax.Array) -> jax.Array:
    """Quarter of the mask ratio: (0, 1/4) is 0, ... [3/4, 1] is 3."""
    return jnp.minimum((ratio * RATIO_BUCKETS).astype(jnp.int32), RATIO_BUCKETS - 1)


def pattern(is_dropped: jax.Array) -> jax.Array:
    """Index into DROP_PATTERNS; "condition" is any of them. [B, S] -> [B]."""
    return is_dropped[:, 0] + 2 * jnp.any(is_dropped[:, 1:], axis=1)


def codes_in_use(codes, is_valid, codebook_size: int):
    """(distinct codes among the batch's valid rows, 1): a mean per batch."""
    bins = jnp.where(is_valid[:, None], codes, codebook_size)
    is_used = jnp.zeros(codebook_size + 1, bool).at[bins.reshape(-1)].set(True)
    used = jnp.sum(is_used[:-1]).astype(jnp.float32)
    return used, jnp.any(is_valid).astype(jnp.float32)

"""Metrics of masked code modelling as sums and counts (StemGen, sec. 2.1).

Sums per example first, then per group of examples: level, mask ratio, dropped sources.
Levels are numbered as in the paper: level_1 is the coarsest.
"""

import jax
import jax.numpy as jnp

from stemjax.arrays.cross_entropy import token_cross_entropy
from stemjax.tasks.task import Sums

RATIO_BUCKETS = 4  # quarters of the mask ratio
DROP_PATTERNS = ("none", "context", "condition", "both")


def token_terms(logits, codes, is_counted) -> dict[str, jax.Array]:
    """Sums over the counted tokens of each example, [B]: loss in nats, correct, count.

    Args:
      logits: [B, T, V].
      codes: [B, T].
      is_counted: [B, T] bool.
    """
    weights = is_counted.astype(jnp.float32)
    is_correct = jnp.argmax(logits, axis=-1) == codes
    return {
        "loss": jnp.sum(token_cross_entropy(logits, codes) * weights, axis=-1),
        "correct": jnp.sum(is_correct * weights, axis=-1),
        "count": jnp.sum(weights, axis=-1),
    }


def total(terms, kind: str):
    """(sum, count) over all examples."""
    return jnp.sum(terms[kind]), jnp.sum(terms["count"])


def grouped(terms, title: str, group, names, kinds=None) -> Sums:
    """Sums per group of examples, as metrics `METRIC/TITLE_NAME`.

    Args:
      group: [B] int32, index of each example's group in `names`.
      kinds: metric -> name of its sum in `terms`.
    """
    kinds = kinds or {"loss": "loss", "accuracy": "correct"}
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
    """Quarter of the mask ratio: 0 for (0, 1/4) to 3 for [3/4, 1]."""
    return jnp.minimum((ratio * RATIO_BUCKETS).astype(jnp.int32), RATIO_BUCKETS - 1)


def pattern(is_dropped: jax.Array) -> jax.Array:
    """Index into DROP_PATTERNS, [B, S] -> [B]; "condition": any condition is dropped."""
    return is_dropped[:, 0] + 2 * jnp.any(is_dropped[:, 1:], axis=1)


def codes_in_use(codes, is_valid, codebook_size: int):
    """(distinct codes in the valid rows, 1), so that the mean is one per batch."""
    bins = jnp.where(is_valid[:, None], codes, codebook_size)
    is_used = jnp.zeros(codebook_size + 1, bool).at[bins.reshape(-1)].set(True)
    used = jnp.sum(is_used[:-1]).astype(jnp.float32)
    return used, jnp.any(is_valid).astype(jnp.float32)

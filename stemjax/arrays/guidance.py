"""Classifier-free guidance over several sources (StemGen, sec. 2.1.2, eq. 2 and 3).

Written for one example; `stemjax.decode.iterate` runs the branches and calls this.
Sources are numbered as in the model: the context audio, then one per condition.
"""

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.config.decode import Guidance


def branch_patterns(guidance: Guidance, num_sources: int) -> np.ndarray:
    """Which sources each forward of a guided step drops: [branches, S] bool.

    The last branch is the one that takes the weight 1 - sum(lambda).  MULTI never
    evaluates the joint condition (Assumption A17).
    """
    full = np.zeros((1, num_sources), bool)
    null = np.ones((1, num_sources), bool)
    match guidance:
        case Guidance.NONE:
            return full
        case Guidance.SINGLE:
            return np.concatenate([full, null])
        case Guidance.MULTI:
            only_one = ~np.eye(num_sources, dtype=bool)
            return np.concatenate([only_one, null])
    raise ValueError(f"guidance must be a Guidance, got {guidance!r}")


def guidance_weights(scales: jax.Array) -> jax.Array:
    """Weights of the branches, which sum to 1: lambda_1 .. lambda_n, 1 - sum(lambda).

    scales: [n] for n + 1 branches; empty for the lone branch of `Guidance.NONE`.
    """
    return jnp.concatenate([scales, 1.0 - jnp.sum(scales, keepdims=True)])


def combine_guidance(logits: jax.Array, scales: jax.Array) -> jax.Array:
    """Eq. 3 (eq. 2 with one scale): logits of the guided distribution.

    Because the weights sum to 1, raw logits and log-probabilities give the same
    distribution: their difference does not depend on the code (Assumption A17).

    logits: [n + 1, ..., V], the unconditional branch last.  scales: [n].
    Returns [..., V] float32.
    """
    branches = logits.shape[0]
    if scales.shape != (branches - 1,):
        raise ValueError(
            f"{branches} branches need {branches - 1} scales, got {scales.shape}"
        )
    weights = guidance_weights(scales.astype(jnp.float32))
    # Not a matrix product: accelerators would round its factors to bfloat16.
    combined = weights[-1] * logits[-1].astype(jnp.float32)
    for i in range(branches - 1):
        combined += weights[i] * logits[i].astype(jnp.float32)
    return combined

"""Classifier-free guidance over several sources (StemGen, sec. 2.1.2, eq. 2 and 3).

Written for one example; `stemjax.decode.iterate` runs the branches and calls this.
Sources are numbered as in the model: the context audio, then one per condition.
"""

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.config.decode import Guidance


def branch_patterns(guidance: Guidance, num_sources: int) -> np.ndarray:
    """Sources that each branch of a guided step drops: [branches, S] bool.

    A branch is one forward pass.  The last branch drops every source and gets the
    weight 1 - sum(lambda); NONE has a single branch that drops no source.  MULTI never
    evaluates the joint condition (Assumption A17).

    Raises:
      ValueError: `guidance` is not a `Guidance`.
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
    """Weights of n + 1 branches: lambda_1 .. lambda_n, 1 - sum(lambda); they sum to 1.

    scales: [n]; empty for the single branch of `Guidance.NONE`.
    """
    return jnp.concatenate([scales, 1.0 - jnp.sum(scales, keepdims=True)])


def combine_guidance(logits: jax.Array, scales: jax.Array) -> jax.Array:
    """Logits of the guided distribution, eq. 3 (eq. 2 with one scale).

    Raw logits and log-probabilities give the same distribution: they differ by a term
    that does not depend on the code, and the weights sum to 1 (Assumption A17).

    Args:
      logits: [n + 1, ..., V], the unconditional branch last.
      scales: [n].

    Returns: [..., V] float32.

    Raises:
      ValueError: the numbers of branches and scales do not match.
    """
    branches = logits.shape[0]
    if scales.shape != (branches - 1,):
        raise ValueError(
            f"{branches} branches need {branches - 1} scales, got {scales.shape}"
        )
    weights = guidance_weights(scales.astype(jnp.float32))
    # A sum, not a matrix product: accelerators would round the factors to bfloat16.
    combined = weights[-1] * logits[-1].astype(jnp.float32)
    for i in range(branches - 1):
        combined += weights[i] * logits[i].astype(jnp.float32)
    return combined

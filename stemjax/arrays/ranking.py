"""Which candidates a decoding step keeps (StemGen, sec. 2.1.1, eq. 1). One example."""

import jax
import jax.numpy as jnp


def rank_candidates(
    confidence: jax.Array,
    noise: jax.Array,
    *,
    w_conf: jax.Array | float,
    w_causal: jax.Array | float,
    w_rand: jax.Array | float,
    length: jax.Array | int,
) -> jax.Array:
    """Eq. 1: the larger the score, the earlier the candidate is kept.

    confidence: [T] probability of the sampled code.  noise: [T] draws of U(0, 1).
    length: N, the frames that are music; frames behind them are padding.
    Returns [T] float32.
    """
    (num_frames,) = confidence.shape
    # Assumption A15: n is the absolute position, also where only a part is generated.
    earliness = 1.0 - jnp.arange(num_frames) / length
    return w_conf * confidence + w_causal * earliness + w_rand * noise


def keep_top(scores: jax.Array, count: jax.Array | int) -> jax.Array:
    """The `count` largest scores; of equal ones the earlier.

    By rank, not by threshold: ties would keep more than `count`.

    scores: [T].  Returns is_kept [T] bool with exactly `count` True.
    """
    order = jnp.argsort(-scores, stable=True)
    return jnp.zeros_like(order).at[order].set(jnp.arange(order.size)) < count

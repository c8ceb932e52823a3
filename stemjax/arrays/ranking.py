"""Choice of the candidates that a decoding step keeps (StemGen, sec. 2.1.1, eq. 1)."""

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
    """Scores of one example's candidates (eq. 1); larger scores are kept earlier.

    Args:
      confidence: [T] probability of the sampled code.
      noise: [T] draws of U(0, 1).
      w_conf, w_causal, w_rand: weights of confidence, of early position and of noise.
      length: N of eq. 1, the number of true frames; later frames are padding.

    Returns: [T] float32.
    """
    (num_frames,) = confidence.shape
    # Assumption A15: n is the absolute position, even when only a part is generated.
    earliness = 1.0 - jnp.arange(num_frames) / length
    return w_conf * confidence + w_causal * earliness + w_rand * noise


def keep_top(scores: jax.Array, count: jax.Array | int) -> jax.Array:
    """Select the `count` largest scores; among equal scores, the earlier ones.

    Selection is by rank: a threshold would keep more than `count` on ties.

    scores: [T].  Returns is_kept [T] bool with exactly `count` True.
    """
    order = jnp.argsort(-scores, stable=True)
    return jnp.zeros_like(order).at[order].set(jnp.arange(order.size)) < count

"""Which target tokens are hidden in training (StemGen, sec. 2.1, fig. 4; SoundStorm).

At the drawn level a random share of the frames is hidden; coarser levels are shown;
finer levels are hidden entirely, as they are while that level is decoded.
"""

import jax
import jax.numpy as jnp


def draw_levels(
    key: jax.Array, batch_size: int, num_levels: int, decay: float = 1.0
) -> jax.Array:
    """The level each example trains, 0 the coarsest. [B] int32.

    decay: odds of a level against the one before it; 1: all alike.
    """
    # Assumption A1
    logits = jnp.log(decay) * jnp.arange(num_levels)
    return jax.random.categorical(key, logits, shape=(batch_size,)).astype(jnp.int32)


def mask_ratio(key: jax.Array) -> jax.Array:
    """Share of frames to hide: cos(pi u / 2), u uniform in [0, 1). [] float32."""
    # Assumption A2
    return jnp.cos(0.5 * jnp.pi * jax.random.uniform(key))


def mask_count(ratio: jax.Array, n: jax.Array | int) -> jax.Array:
    """Frames to hide out of `n`: round(ratio n), at least 1. [] int32."""
    # Assumption A2: an exact count, so that no example of a batch lacks a loss
    return jnp.clip(jnp.round(ratio * n), 1, n).astype(jnp.int32)


def level_mask(
    key: jax.Array,
    level: jax.Array | int,
    ratio: jax.Array | float,
    *,
    num_levels: int,
    num_frames: int,
    keep_prefix: bool = False,
) -> jax.Array:
    """Fig. 4 for one example: True where a token is hidden.

    Args:
      level: [] the level trained, 0 the coarsest; may be traced.
      ratio: [] share of that level's frames to hide; may be traced.
      keep_prefix: draw t uniform in [0, T) and hide nothing, on any level, before it:
        SoundStorm's prompt (Assumption A3). The count is then a share of T - t.

    Returns: [Q, T] bool; at `level` exactly `mask_count` frames are True.
    """
    k_start, k_order = jax.random.split(key)
    frames = jnp.arange(num_frames)
    start = jax.random.randint(k_start, (), 0, num_frames) if keep_prefix else 0
    is_open = frames >= start
    order = jax.random.permutation(k_order, num_frames)  # no ties: the count is exact
    rank = jnp.argsort(jnp.argsort(jnp.where(is_open, order, num_frames + order)))
    is_drawn = is_open & (rank < mask_count(ratio, num_frames - start))
    levels = jnp.arange(num_levels)[:, None]
    return jnp.where(levels == level, is_drawn, (levels > level) & is_open)

"""Masks of target tokens for training (StemGen, sec. 2.1, fig. 4; SoundStorm).

At the trained level a random share of the frames is masked.  Coarser levels are visible.
Finer levels are masked entirely, as they are when that level is decoded.
"""

import jax
import jax.numpy as jnp


def draw_levels(
    key: jax.Array, batch_size: int, num_levels: int, decay: float = 1.0
) -> jax.Array:
    """Draw the level that each example trains: [B] int32, 0 the coarsest.

    decay: odds of a level relative to the level before it; 1 is uniform.
    """
    # Assumption A1
    logits = jnp.log(decay) * jnp.arange(num_levels)
    return jax.random.categorical(key, logits, shape=(batch_size,)).astype(jnp.int32)


def mask_ratio(key: jax.Array) -> jax.Array:
    """Share of frames to mask, cos(pi u / 2) with u uniform in [0, 1): [] float32."""
    # Assumption A2
    return jnp.cos(0.5 * jnp.pi * jax.random.uniform(key))


def mask_count(ratio: jax.Array, n: jax.Array | int) -> jax.Array:
    """Number of frames to mask out of `n`, round(ratio n), at least 1: [] int32."""
    # Assumption A2: an exact count gives every example of a batch a loss.
    return jnp.clip(jnp.round(ratio * n), 1, n).astype(jnp.int32)


def finer_mask(
    level: jax.Array | int,
    num_levels: int,
    num_frames: int,
    prefix: jax.Array | int = 0,
) -> jax.Array:
    """Tokens that no forward pass at `level` sees (fig. 4): those of finer levels.

    Args:
      level: [...] the level that is trained or decoded, 0 the coarsest.
      num_levels: Q.
      num_frames: T.
      prefix: [...] frames at the start that are seen on every level (Assumption A3).

    Returns: is_masked [..., Q, T] bool.
    """
    level, prefix = (jnp.asarray(x)[..., None, None] for x in (level, prefix))
    return (jnp.arange(num_levels)[:, None] > level) & (
        jnp.arange(num_frames) >= prefix
    )


def level_mask(
    key: jax.Array,
    level: jax.Array | int,
    ratio: jax.Array | float,
    *,
    num_levels: int,
    num_frames: int,
    keep_prefix: bool = False,
) -> jax.Array:
    """Mask of one example's tokens (fig. 4): True where a token is masked.

    Args:
      key: random key.
      level: [] the trained level, 0 the coarsest; may be traced.
      ratio: [] share of that level's frames to mask; may be traced.
      num_levels: Q.
      num_frames: T.
      keep_prefix: draw t uniform in [0, T) and mask no token of any level before frame
        t, like SoundStorm's prompt (Assumption A3).  `ratio` is then a share of T - t.

    Returns: is_masked [Q, T] bool; at `level` exactly `mask_count` frames are True.
    """
    k_start, k_order = jax.random.split(key)
    frames = jnp.arange(num_frames)
    start = jax.random.randint(k_start, (), 0, num_frames) if keep_prefix else 0
    is_open = frames >= start
    order = jax.random.permutation(k_order, num_frames)  # no ties, so an exact count
    rank = jnp.argsort(jnp.argsort(jnp.where(is_open, order, num_frames + order)))
    is_drawn = is_open & (rank < mask_count(ratio, num_frames - start))
    is_finer = finer_mask(level, num_levels, num_frames, start)
    return is_finer | (is_drawn & (jnp.arange(num_levels)[:, None] == level))

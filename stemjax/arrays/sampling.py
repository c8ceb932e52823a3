"""Sampling of candidate codes and their confidence (StemGen, sec. 2.1.1).

Functions of one example.  Every frame has its own key, so padding changes no draw.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

MAX_LEVELS, MAX_STEPS, MAX_FRAMES = 64, 2048, 32768  # limits of `draw_step`
TINY = float(jnp.finfo(jnp.float32).tiny)  # least uniform draw: log 0 is undefined


class Draws(NamedTuple):
    """Randomness of one decoding step."""

    gumbel: jax.Array
    """[T, V] float32 standard Gumbel draws that select the candidates."""
    noise: jax.Array
    """[T] float32 in (0, 1), X of eq. 1."""


def draw_step(
    key: jax.Array,
    level: jax.Array | int,
    step: jax.Array | int,
    num_frames: int,
    num_codes: int,
) -> Draws:
    """Draws of one step; each depends only on (key, level, step, frame).

    Level, step and frame (below 64, 2048 and 32768) are packed into one word: one
    `fold_in` instead of three is a third of the program to compile.  Steps count from
    1, so words below 32768 are free for other uses of the key.

    Args:
      key: random key of the example.
      level: [] the level decoded, 0 the coarsest; may be traced.
      step: [] the step of that level, from 1; may be traced.
      num_frames: T.
      num_codes: V.
    """
    level, step = jnp.asarray(level, jnp.uint32), jnp.asarray(step, jnp.uint32)
    words = (level << 26) | (step << 15) | jnp.arange(num_frames, dtype=jnp.uint32)

    def draw_frame(word):
        # One draw for both uses: a second one would have to be compiled too.
        frame_key = jax.random.fold_in(key, word)
        return jax.random.uniform(frame_key, (num_codes + 1,), minval=TINY)

    uniform = jax.vmap(draw_frame)(words)
    return Draws(gumbel=-jnp.log(-jnp.log(uniform[:, 1:])), noise=uniform[:, 0])


def is_in_nucleus(probabilities: jax.Array, top_p: jax.Array | float) -> jax.Array:
    """Nucleus filter: the smallest set of most probable codes with mass >= `top_p`.

    probabilities: [..., V].  top_p: 1 keeps all codes.  Returns [..., V] bool.
    """
    order = jnp.argsort(-probabilities, axis=-1, stable=True)
    ranked = jnp.take_along_axis(probabilities, order, axis=-1)
    mass_before = jnp.cumsum(ranked, axis=-1) - ranked
    # `top_p >= 1` is a separate case: a float32 sum may reach 1 before the last code.
    is_kept = (mass_before < top_p) | (jnp.asarray(top_p) >= 1)
    rank = jnp.argsort(order, axis=-1)
    return jnp.take_along_axis(is_kept, rank, axis=-1)


def sample_codes(
    gumbel: jax.Array,
    logits: jax.Array,
    temperature: jax.Array | float,
    top_p: jax.Array | float | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Draw one code per frame (Gumbel-max) and compute its probability.

    Args:
      gumbel: [T, V] standard Gumbel draws.
      logits: [T, V] after guidance.
      temperature: > 0.
      top_p: mass of the nucleus filter (Assumption A10); None: no filter.

    Returns:
      codes [T] int32; confidence [T] float32, c(x) of eq. 1: the softmax probability
      after guidance and temperature, before the filter (Assumption A12).
    """
    cooled = logits.astype(jnp.float32) / temperature
    allowed = cooled
    if top_p is not None:
        is_allowed = is_in_nucleus(jax.nn.softmax(cooled, axis=-1), top_p)
        allowed = jnp.where(is_allowed, cooled, -jnp.inf)
    codes = jnp.argmax(allowed + gumbel, axis=-1).astype(jnp.int32)
    chosen = jnp.take_along_axis(cooled, codes[:, None], axis=-1)[:, 0]
    confidence = jnp.exp(chosen - jax.nn.logsumexp(cooled, axis=-1))
    return codes, confidence

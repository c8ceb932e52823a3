"""Windows of a signal around the middle of every step."""

import jax
import jax.numpy as jnp


def windows_around(audio: jax.Array, step: int, window: int) -> jax.Array:
    """[B, N] to [B, N / step, window], zeros beyond the ends; N is whole steps.

    The window may be longer or shorter than a step.
    """
    count = audio.shape[1] // step
    left = (window - step) // 2  # beyond the step itself
    blocks = -(-window // step)
    width = (count + blocks) * step
    padded = jnp.pad(audio, ((0, 0), (left, width - left - audio.shape[1])))
    padded = padded.reshape(len(audio), -1, step)
    parts = [padded[:, i : i + count] for i in range(blocks)]
    return jnp.concatenate(parts, axis=-1)[..., :window]

"""Windows of a signal, centred on steps of equal length."""

import jax
import jax.numpy as jnp


def centred_windows(audio: jax.Array, step: int, window: int) -> jax.Array:
    """Windows centred on the steps: [B, N] to [B, N / step, window].

    Samples beyond the ends of the signal are zero.  N is a multiple of `step`, and
    `window` is at least `step`.
    """
    count = audio.shape[1] // step
    left = (window - step) // 2  # samples before the step
    blocks = -(-window // step)
    width = (count + blocks) * step
    padded = jnp.pad(audio, ((0, 0), (left, width - left - audio.shape[1])))
    padded = padded.reshape(len(audio), -1, step)
    parts = [padded[:, i : i + count] for i in range(blocks)]
    return jnp.concatenate(parts, axis=-1)[..., :window]

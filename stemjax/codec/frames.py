"""Residual convolutions over frames, for the oscillator codec."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from stemjax.config.codec import PadMode
from stemjax.nn.conv import Conv1d

EPSILON = 1e-5
FrameConv = functools.partial(Conv1d, pad_mode=PadMode.CONSTANT)


def normalise(x: jax.Array) -> jax.Array:
    """Normalize each frame to mean 0 and variance 1 over its channels: [..., C]."""
    x = x - jnp.mean(x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + EPSILON)


class FrameStack(nn.Module):
    """Residual blocks, one per dilation: [B, T, W] -> [B, T, W].

    The sum itself is not normalized, because the level of a frame matters.
    """

    width: int
    dilations: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """length: [] int32, the number of frames that are signal; None: T."""
        for i, dilation in enumerate(self.dilations):
            wide = FrameConv(
                self.width, self.width, 3, dilation=dilation, name=f"conv_{i}"
            )
            point = FrameConv(self.width, self.width, 1, name=f"point_{i}")
            y = nn.silu(wide(normalise(x), length))
            x = x + point(y) * len(self.dilations) ** -0.5
        return x

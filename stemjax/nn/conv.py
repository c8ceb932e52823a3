"""Convolutions over time with EnCodec's padding (EnCodec, sec. 3.1), fast on a CPU.

Weights lie as published: [out, in, k], transposed ones [in, out, k]; signals are
[B, N, C].  Which formulation runs is a choice by static shape: XLA's own convolution is
fast on a CPU except for one channel in or out and in its gradient by the kernel; those
are written as matrix products.  `tests/nn/test_conv.py` holds every one against
`lax.conv_general_dilated` and its derivatives.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stemjax.config.codec import PadMode


def conv1d(x: jax.Array, weight: jax.Array, *, stride: int = 1, dilation: int = 1):
    """Convolution without padding.

    x: [B, N, I]. weight: [O, I, K].
    Returns [B, (N - (K - 1)*dilation - 1)//stride + 1, O].
    """
    features, channels, size = weight.shape
    if size == 1 and stride == 1:
        return x @ weight[:, :, 0].T
    if channels == 1 and stride == 1:
        return _from_one_channel(x, weight, dilation)
    if features == 1 and stride == 1:
        return _to_one_channel(x, weight, dilation)
    if stride > 1 and dilation == 1 and size % stride == 0:
        return _strided(x, weight, stride)
    return _xla_conv(x, weight, stride, dilation)


def _xla_conv(x, weight, stride, dilation):
    return lax.conv_general_dilated(
        x,
        weight.transpose(2, 1, 0),
        window_strides=(stride,),
        padding="VALID",
        rhs_dilation=(dilation,),
        dimension_numbers=("NHC", "HIO", "NHC"),
    )


def _from_one_channel(x, weight, dilation):
    """One channel in: a sum of shifted, scaled copies."""
    size = weight.shape[2]
    length = x.shape[1] - (size - 1) * dilation
    taps = [x[:, k * dilation : k * dilation + length] for k in range(size)]
    return sum(tap * weight[:, 0, k] for k, tap in enumerate(taps))


def _to_one_channel(x, weight, dilation):
    """One channel out: one product for all taps, then a sum of shifted copies."""
    size = weight.shape[2]
    length = x.shape[1] - (size - 1) * dilation
    products = x @ weight[0]  # [B, N, K]
    return sum(
        products[:, k * dilation : k * dilation + length, k, None] for k in range(size)
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _strided(x, weight, stride):
    """Kernel a multiple of the stride: XLA forward, matrix products backward."""
    return _xla_conv(x, weight, stride, 1)


def _strided_forward(x, weight, stride):
    return _strided(x, weight, stride), (x, weight)


def _strided_backward(stride, saved, gradient):
    # the map is linear in each argument, so its forward value is never computed here
    return jax.vjp(functools.partial(_by_blocks, stride=stride), *saved)[1](gradient)


_strided.defvjp(_strided_forward, _strided_backward)


def _by_blocks(x, weight, *, stride):
    """The same convolution on blocks of `stride` samples: K/stride matrix products."""
    features, channels, size = weight.shape
    num = size // stride
    length = (x.shape[1] - size) // stride + 1
    x = x[:, : (length + num - 1) * stride]
    blocks = x.reshape(x.shape[0], -1, stride * channels)
    kernels = weight.transpose(2, 1, 0).reshape(num, stride * channels, features)
    return sum(blocks[:, j : j + length] @ kernels[j] for j in range(num))


def conv_transpose1d(x: jax.Array, weight: jax.Array, *, stride: int) -> jax.Array:
    """Transposed convolution, nothing trimmed: one product and K/stride shifted adds.

    x: [B, T, I]. weight: [I, O, K], K a multiple of the stride.
    Returns [B, (T - 1)*stride + K, O].
    """
    channels, features, size = weight.shape
    num = size // stride
    if num * stride != size:
        raise ValueError(f"kernel {size} must be a multiple of the stride {stride}")
    kernels = weight.reshape(channels, features, num, stride).transpose(2, 0, 3, 1)
    kernels = kernels.reshape(num, channels, stride * features)
    blocks = sum(
        jnp.pad(x @ kernels[j], ((0, 0), (j, num - 1 - j), (0, 0))) for j in range(num)
    )
    return blocks.reshape(x.shape[0], -1, features)


def pad_ends(
    x: jax.Array, left: int, right: int, mode: PadMode, length: jax.Array | None = None
) -> jax.Array:
    """Extend [B, N, C] in time by `left` and `right` samples.

    A reflection that needs more samples than there are first gets zeros on the right,
    which are cut off again (EnCodec's guard for small inputs).

    length: [] int32 where only the first `length` samples are the signal and what
      follows is anything; the right end is then extended from there. It must be more
      than `left` and `right`: the guard is not for a traced length.
    """
    if length is None:
        return _pad_static(x, left, right, mode)
    x = jnp.pad(_pad_static(x, left, 0, mode), ((0, 0), (0, right), (0, 0)))
    match mode:
        case PadMode.REFLECT:
            tail = lax.dynamic_slice_in_dim(x, left + length - 1 - right, right, axis=1)
            tail = tail[:, ::-1]
        case PadMode.REPLICATE:
            tail = lax.dynamic_slice_in_dim(x, left + length - 1, 1, axis=1)
            tail = jnp.repeat(tail, right, axis=1)
        case PadMode.CONSTANT:
            tail = jnp.zeros_like(x[:, :right])
    return lax.dynamic_update_slice_in_dim(x, tail, left + length, axis=1)


def _pad_static(x, left, right, mode):
    width = ((0, 0), (left, right), (0, 0))
    match mode:
        case PadMode.CONSTANT:
            return jnp.pad(x, width)
        case PadMode.REPLICATE:
            return jnp.pad(x, width, mode="edge")
        case PadMode.REFLECT:
            missing = max(0, max(left, right) - x.shape[1] + 1)
            x = jnp.pad(x, ((0, 0), (0, missing), (0, 0)))
            x = jnp.pad(x, width, mode="reflect")
            return x[:, : x.shape[1] - missing]


class Affine(nn.Module):
    """The weight and the bias of one convolution, by their published names."""

    shape: tuple[int, int, int]
    fan_in: int
    features: int

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array]:
        """Weight of `shape`, normal with variance 1 / fan_in; bias [features], zero.

        Torch's default has a third of that variance: some 15 layers later the latents
        would be too small for codebooks to follow.
        """
        normal = nn.initializers.normal(self.fan_in**-0.5)
        return (
            self.param("weight", normal, self.shape),
            self.param("bias", nn.initializers.zeros, (self.features,)),
        )


class Conv1d(nn.Module):
    """Padded convolution: N samples in, ceil(N / stride) out."""

    channels: int
    features: int
    kernel_size: int
    stride: int = 1
    dilation: int = 1
    is_causal: bool = False
    pad_mode: PadMode = PadMode.REFLECT

    @nn.compact
    def __call__(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """x: [B, N, channels]; `length` as in `pad_ends`. Returns [B, N', features]."""
        shape = (self.features, self.channels, self.kernel_size)
        weight, bias = Affine(
            shape, self.channels * self.kernel_size, self.features, name="conv"
        )()
        total = (self.kernel_size - 1) * self.dilation + 1 - self.stride
        right = 0 if self.is_causal else total // 2  # asymmetric for odd strides
        left = total - right
        # the last frame is filled up: with the true length unknown, by all it can lack
        extra = -x.shape[1] % self.stride if length is None else self.stride - 1
        x = pad_ends(x, left, right + extra, self.pad_mode, length)
        x = conv1d(x, weight, stride=self.stride, dilation=self.dilation)
        return x + bias


class ConvTranspose1d(nn.Module):
    """Transposed convolution, trimmed: T frames in, T * stride out."""

    channels: int
    features: int
    kernel_size: int
    stride: int
    is_causal: bool = False
    trim_right_ratio: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """x: [B, T, channels]; frames from `length` on count as absent."""
        shape = (self.channels, self.features, self.kernel_size)
        fan_in = self.channels * self.kernel_size // self.stride
        weight, bias = Affine(shape, fan_in, self.features, name="conv")()
        if length is not None:
            x = jnp.where((jnp.arange(x.shape[1]) < length)[:, None], x, 0)
        total = self.kernel_size - self.stride
        right = total // 2
        if self.is_causal:
            right = math.ceil(total * self.trim_right_ratio)
        y = conv_transpose1d(x, weight, stride=self.stride)
        return y[:, total - right : y.shape[1] - right] + bias

"""Convolutions over time with EnCodec's padding (EnCodec, sec. 3.1), fast on a CPU.

Weights lie as published: [out, in, k], transposed ones [in, out, k]; signals are
[B, N, C].  On a CPU, XLA's convolution is fast forward, unless there is one channel in or
out; its derivatives and its transposed form are slow.  Those are matrix products here: a
kernel of num * stride samples sees blocks of `stride` samples, so copies of the smaller
side, shifted by whole blocks and laid beside each other, make each of them one product.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stemjax.config.codec import PadMode


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv1d(x: jax.Array, weight: jax.Array, stride: int = 1, dilation: int = 1):
    """Convolution without padding.

    x: [B, N, I]. weight: [O, I, K]; K a multiple of the stride, and either of stride and
    dilation 1.  Returns [B, (N - (K - 1)*dilation - 1)//stride + 1, O].
    """
    features, channels, size = weight.shape
    _check_shape(size, stride, dilation)
    length = x.shape[1] - (size - 1) * dilation  # where the stride is 1
    if size == 1:
        return x @ weight[:, :, 0].T
    if channels == 1 and stride == 1:  # shifted copies of the signal, scaled
        taps = [x[:, k * dilation : k * dilation + length] for k in range(size)]
        return sum(tap * weight[:, 0, k] for k, tap in enumerate(taps))
    if features == 1 and stride == 1:  # one product for all taps, then shifted
        taps = jnp.split(x @ weight[0], size, axis=-1)
        starts = [k * dilation for k in range(size)]
        return sum(t[:, s : s + length] for s, t in zip(starts, taps, strict=True))
    return lax.conv_general_dilated(
        x,
        weight.transpose(2, 1, 0),
        window_strides=(stride,),
        padding="VALID",
        rhs_dilation=(dilation,),
        dimension_numbers=("NHC", "HIO", "NHC"),
    )


def _conv1d_forward(x, weight, stride, dilation):
    return conv1d(x, weight, stride, dilation), (x, weight)


def _conv1d_backward(stride, dilation, saved, gradient):
    x, weight = saved
    if weight.shape[1] == 1 and stride == 1:
        return _one_channel_backward(x, weight, dilation, gradient)
    shifted = _shifted(gradient, weight.shape[2] // stride, dilation)
    by_x = _spread(shifted, weight, stride)
    missing = x.shape[1] - by_x.shape[1]  # samples that no window reached
    by_x = jnp.pad(by_x, ((0, 0), (0, missing), (0, 0)))
    return by_x, _correlate(shifted, x[:, : x.shape[1] - missing], weight, stride)


conv1d.defvjp(_conv1d_forward, _conv1d_backward)


def _one_channel_backward(x, weight, dilation, gradient):
    """The same with windows of the signal: the shifted gradient has O times as many."""
    size, length = weight.shape[2], gradient.shape[1]
    starts = [k * dilation for k in range(size)]
    windows = jnp.concatenate([x[:, s : s + length] for s in starts], axis=-1)
    by_weight = _flat(gradient).T @ _flat(windows)
    taps = jnp.split(gradient @ weight[:, 0], size, axis=-1)
    by_x = sum(
        jnp.pad(t, ((0, 0), (s, starts[-1] - s), (0, 0)))
        for s, t in zip(starts, taps, strict=True)
    )
    return by_x, by_weight[:, None]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv_transpose1d(x: jax.Array, weight: jax.Array, stride: int = 1):
    """Transposed convolution, nothing trimmed: a matrix product per stride of kernel.

    x: [B, T, I]. weight: [I, O, K], K a multiple of the stride.
    Returns [B, (T - 1)*stride + K, O].
    """
    channels, features, size = weight.shape
    _check_shape(size, stride, 1)
    num = size // stride
    kernels = weight.transpose(2, 1, 0).reshape(num, stride * features, channels)
    blocks = sum(
        jnp.pad(x @ kernel.T, ((0, 0), (n, num - 1 - n), (0, 0)))
        for n, kernel in enumerate(kernels)
    )
    return blocks.reshape(x.shape[0], -1, features)


def _conv_transpose1d_forward(x, weight, stride):
    return conv_transpose1d(x, weight, stride), (x, weight)


def _conv_transpose1d_backward(stride, saved, gradient):
    x, weight = saved
    shifted = _shifted(x, weight.shape[2] // stride, 1)
    by_weight = _correlate(shifted, gradient, weight, stride)
    return conv1d(gradient, weight, stride), by_weight


conv_transpose1d.defvjp(_conv_transpose1d_forward, _conv_transpose1d_backward)


def _check_shape(size: int, stride: int, dilation: int) -> None:
    if size % stride or (stride > 1 and dilation > 1):
        raise ValueError(
            f"kernel {size}, stride {stride}, dilation {dilation}: the kernel must be a"
            " multiple of the stride, and only one of the others may pass 1"
        )


def _flat(x):
    return x.reshape(-1, x.shape[-1])


def _shifted(y, num, step):
    """Copies of [B, T, C] moved by 0, step, ..., beside each other: [B, T', num * C]."""
    last = (num - 1) * step
    return jnp.concatenate(
        [jnp.pad(y, ((0, 0), (s, last - s), (0, 0))) for s in range(0, last + 1, step)],
        axis=-1,
    )


def _spread(shifted, weight, stride):
    """Transposed convolution of what was shifted: [B, T', num * O] to [B, N, I].

    weight: [O, I, K] of the convolution, [I, O, K] of the transposed one.
    """
    outer, inner, size = weight.shape
    num = size // stride
    kernels = weight.reshape(outer, inner, num, stride).transpose(2, 0, 3, 1)
    blocks = shifted @ kernels.reshape(num * outer, stride * inner)
    return blocks.reshape(shifted.shape[0], -1, inner)


def _correlate(shifted, x, weight, stride):
    """Gradient by the weight: one product of [B, T', num * O] and [B, N, I]."""
    outer, inner, size = weight.shape
    num = size // stride
    blocks = x.reshape(*shifted.shape[:2], stride * inner)
    product = _flat(shifted).T @ _flat(blocks)
    product = product.reshape(num, outer, stride, inner)
    return product.transpose(1, 3, 0, 2).reshape(weight.shape)


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
        """Weight of `shape` and bias [features].

        A fresh weight holds its standard deviation, which `codec.functional.init`
        multiplies by noise: fan_in^-0.5.  Torch's default has a third of that variance;
        some 15 layers later the latents would be too small for codebooks to follow.
        """
        deviation = nn.initializers.constant(self.fan_in**-0.5)
        return (
            self.param("weight", deviation, self.shape),
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
        x = conv1d(x, weight, self.stride, self.dilation)
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
        y = conv_transpose1d(x, weight, self.stride)
        return y[:, total - right : y.shape[1] - right] + bias

"""Convolutions over time with EnCodec's padding (EnCodec, sec. 3.1), fast on a CPU.

Signals are [B, N, C].  Weights have the published layout: [O, I, K], or [I, O, K] in a
transposed convolution, with O output channels, I input channels, K samples of kernel.

On a CPU, XLA's forward convolution is fast except with one input or output channel; its
derivatives and the transposed convolution are slow.  Here those are matrix products.  A
kernel of n * stride samples covers n blocks of `stride` samples, so each operation is one
product with n copies of the smaller array, shifted by whole blocks and concatenated.
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

    Args:
      x: [B, N, I].
      weight: [O, I, K].
      stride: in samples; divides K.
      dilation: in samples; 1 unless the stride is 1.

    Returns: [B, (N - (K - 1) * dilation - 1) // stride + 1, O].

    Raises:
      ValueError: the stride does not divide K, or stride and dilation both exceed 1.
    """
    features, channels, size = weight.shape
    _check_shape(size, stride, dilation)
    length = x.shape[1] - (size - 1) * dilation  # of the output at stride 1
    if size == 1:
        return x @ weight[:, :, 0].T
    if channels == 1 and stride == 1:  # a sum of scaled, shifted copies of the signal
        taps = [x[:, k * dilation : k * dilation + length] for k in range(size)]
        return sum(tap * weight[:, 0, k] for k, tap in enumerate(taps))
    if features == 1 and stride == 1:  # one product for all taps, then shifts
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
    missing = x.shape[1] - by_x.shape[1]  # samples after the last window
    by_x = jnp.pad(by_x, ((0, 0), (0, missing), (0, 0)))
    return by_x, _correlate(shifted, x[:, : x.shape[1] - missing], weight, stride)


conv1d.defvjp(_conv1d_forward, _conv1d_backward)


def _one_channel_backward(x, weight, dilation, gradient):
    """Gradient for one input channel, from shifted copies of the signal.

    They have O times fewer channels than shifted copies of the gradient.
    """
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
    """Transposed convolution without trimming: one matrix product per kernel block.

    Args:
      x: [B, T, I].
      weight: [I, O, K].
      stride: in samples; divides K.

    Returns: [B, (T - 1) * stride + K, O].

    Raises:
      ValueError: the stride does not divide K.
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
    """Concatenate `num` copies of [B, T, C], shifted by 0, step, ...: [B, T', num * C]."""
    last = (num - 1) * step
    return jnp.concatenate(
        [jnp.pad(y, ((0, 0), (s, last - s), (0, 0))) for s in range(0, last + 1, step)],
        axis=-1,
    )


def _spread(shifted, weight, stride):
    """Transposed convolution of a `_shifted` array: [B, T', num * O] -> [B, N, I].

    weight: [O, I, K], or [I, O, K] of a transposed convolution.
    """
    outer, inner, size = weight.shape
    num = size // stride
    kernels = weight.reshape(outer, inner, num, stride).transpose(2, 0, 3, 1)
    blocks = shifted @ kernels.reshape(num * outer, stride * inner)
    return blocks.reshape(shifted.shape[0], -1, inner)


def _correlate(shifted, x, weight, stride):
    """Gradient of the weight: one product of [B, T', num * O] and [B, N, I]."""
    outer, inner, size = weight.shape
    num = size // stride
    blocks = x.reshape(*shifted.shape[:2], stride * inner)
    product = _flat(shifted).T @ _flat(blocks)
    product = product.reshape(num, outer, stride, inner)
    return product.transpose(1, 3, 0, 2).reshape(weight.shape)


def pad_ends(
    x: jax.Array, left: int, right: int, mode: PadMode, length: jax.Array | None = None
) -> jax.Array:
    """Pad [B, N, C] in time by `left` and `right` samples.

    Reflection of a signal that is too short first appends zeros, which are removed
    afterwards (EnCodec's guard for small inputs).

    Args:
      x: [B, N, C].
      left, right: number of samples to add on each side.
      mode: how to extend the signal.
      length: [] int32, the number of samples that are signal; may be traced.  Later
        samples are ignored, and the right padding starts there.  It must exceed `left`
        and `right`, because the guard needs a static length.  None: N.

    Returns: [B, left + N + right, C].
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
    """Weight and bias of one convolution under their published names."""

    shape: tuple[int, int, int]
    fan_in: int
    features: int

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array]:
        """Weight of `shape` and bias [features].

        `init` sets the weight to its standard deviation, fan_in^-0.5;
        `codec.functional.init` then multiplies it by noise.  Torch's default has a third
        of that variance; after 15 layers the latents would be too small for codebooks
        to follow.
        """
        deviation = nn.initializers.constant(self.fan_in**-0.5)
        return (
            self.param("weight", deviation, self.shape),
            self.param("bias", nn.initializers.zeros, (self.features,)),
        )


class Conv1d(nn.Module):
    """Padded convolution: N samples to ceil(N / stride) samples."""

    channels: int
    features: int
    kernel_size: int
    stride: int = 1
    dilation: int = 1
    is_causal: bool = False
    pad_mode: PadMode = PadMode.REFLECT

    @nn.compact
    def __call__(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """[B, N, channels] -> [B, N', features]; `length` as in `pad_ends`."""
        shape = (self.features, self.channels, self.kernel_size)
        weight, bias = Affine(
            shape, self.channels * self.kernel_size, self.features, name="conv"
        )()
        total = (self.kernel_size - 1) * self.dilation + 1 - self.stride
        right = 0 if self.is_causal else total // 2  # asymmetric for odd strides
        left = total - right
        # Fills the last frame; with a traced length, by the most that can be missing.
        extra = -x.shape[1] % self.stride if length is None else self.stride - 1
        x = pad_ends(x, left, right + extra, self.pad_mode, length)
        x = conv1d(x, weight, self.stride, self.dilation)
        return x + bias


class ConvTranspose1d(nn.Module):
    """Trimmed transposed convolution: T frames to T * stride samples."""

    channels: int
    features: int
    kernel_size: int
    stride: int
    is_causal: bool = False
    trim_right_ratio: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """[B, T, channels] -> [B, T * stride, features].

        length: [] int32, the number of frames that are signal; None: T.
        """
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

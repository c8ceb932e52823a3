"""Convolutions of SEANet with EnCodec's padding; weights in the published layout.

A weight is [out, in, k] (transposed convolution: [in, out, k]), as in the published
files, so that a parameter's path and layout are those of the file.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from stemjax.config.codec import PadMode

JNP_MODES = {
    PadMode.REFLECT: "reflect",
    PadMode.CONSTANT: "constant",
    PadMode.REPLICATE: "edge",
}


def _lax_conv(x, kernel, stride, dilation):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride,),
        "VALID",
        rhs_dilation=(dilation,),
        dimension_numbers=("NHC", "HIO", "NHC"),
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv1d(x, kernel, stride=1, dilation=1):
    """Unpadded convolution: x [B, N, I], kernel [k, I, O] -> [B, N', O].

    XLA's gradient with respect to the kernel is a convolution with a very long window,
    slow on a CPU; here it is k matrix products.
    """
    if kernel.shape[0] == 1 and stride == 1:
        return x @ kernel[0]
    return _lax_conv(x, kernel, stride, dilation)


def _conv1d_forward(x, kernel, stride, dilation):
    return conv1d(x, kernel, stride, dilation), (x, kernel)


def _conv1d_backward(stride, dilation, saved, dy):
    x, kernel = saved
    taps, frames = kernel.shape[0], dy.shape[1]
    if taps == 1 and stride == 1:
        return dy @ kernel[0].T, jnp.einsum("bni,bno->io", x, dy)[None]
    transpose = jax.linear_transpose(
        lambda v: _lax_conv(v, kernel, stride, dilation), x
    )
    (dx,) = transpose(dy)
    span = (frames - 1) * stride + 1
    seen = [x[:, i * dilation : i * dilation + span : stride] for i in range(taps)]
    return dx, jnp.stack([jnp.einsum("bni,bno->io", s, dy) for s in seen])


conv1d.defvjp(_conv1d_forward, _conv1d_backward)


def conv1d_transpose(x, kernel, stride):
    """Uncropped transposed convolution: x [B, T, I], kernel [k, I, O] -> [B, N', O].

    One matrix product and an overlap-add of ceil(k / stride) blocks; N' = (T-1) * stride
    + k.
    """
    (batch, frames, _), (taps, inputs, outputs) = x.shape, kernel.shape
    blocks = -(-taps // stride)
    kernel = jnp.pad(kernel, ((0, blocks * stride - taps), (0, 0), (0, 0)))
    flat = kernel.transpose(1, 0, 2).reshape(inputs, -1)
    parts = (x @ flat).reshape(batch, frames, blocks, stride, outputs)
    total = sum(
        jnp.pad(parts[:, :, i], ((0, 0), (i, blocks - 1 - i), (0, 0), (0, 0)))
        for i in range(blocks)
    )
    return total.reshape(batch, -1, outputs)[:, : (frames - 1) * stride + taps]


def pad1d(x, left: int, right: int, mode: PadMode):
    """Pad time of [B, N, C]; a signal shorter than a reflection is first zero-extended."""
    if mode is not PadMode.REFLECT:
        return jnp.pad(x, ((0, 0), (left, right), (0, 0)), mode=JNP_MODES[mode])
    missing = max(0, max(left, right) - x.shape[1] + 1)
    x = jnp.pad(x, ((0, 0), (0, missing), (0, 0)))
    x = jnp.pad(x, ((0, 0), (left, right), (0, 0)), mode="reflect")
    return x[:, : x.shape[1] - missing]


def conv_padding(
    length: int, taps: int, stride: int, dilation: int, is_causal: bool
) -> tuple[int, int]:
    """Left and right padding so that ceil(length / stride) frames come out."""
    span = (taps - 1) * dilation + 1
    total = span - stride
    frames = math.ceil((length - span + total) / stride + 1) - 1
    extra = frames * stride + span - total - length
    if is_causal:
        return total, extra
    return total - total // 2, total // 2 + extra


def _uniform(fan_in: int):
    """LeCun's uniform: variance 1 / fan_in, so that signals keep their size.

    Torch's default has a third of it, and latents then start near 1e-5, where codebooks
    cannot follow them.
    """
    bound = math.sqrt(3 / fan_in)

    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


class Weights(nn.Module):
    """The weight and bias of one (transposed) convolution, under the published names."""

    shape: tuple[int, int, int]
    features: int
    fan_in: int

    @nn.compact
    def __call__(self):
        init = _uniform(self.fan_in)
        weight = self.param("weight", init, self.shape)
        return weight, self.param("bias", init, (self.features,))


class Conv(nn.Module):
    """EnCodec's padded convolution, [B, N, I] -> [B, ceil(N / stride), O]."""

    features: int
    taps: int
    stride: int = 1
    dilation: int = 1
    is_causal: bool = False
    pad_mode: PadMode = PadMode.REFLECT
    is_padded: bool = True

    @nn.compact
    def __call__(self, x):
        inputs = x.shape[-1]
        shape = (self.features, inputs, self.taps)
        weight, bias = Weights(shape, self.features, inputs * self.taps, name="conv")()
        if self.is_padded:
            left, right = conv_padding(
                x.shape[1], self.taps, self.stride, self.dilation, self.is_causal
            )
            x = pad1d(x, left, right, self.pad_mode)
        return conv1d(x, weight.transpose(2, 1, 0), self.stride, self.dilation) + bias


class ConvTranspose(nn.Module):
    """EnCodec's cropped transposed convolution, [B, T, I] -> [B, T * stride, O]."""

    features: int
    taps: int
    stride: int
    is_causal: bool = False
    trim_right_ratio: float = 1.0

    @nn.compact
    def __call__(self, x):
        inputs = x.shape[-1]
        # fan-in of an output sample: taps / stride inputs reach it
        fan_in = max(1, inputs * self.taps // self.stride)
        shape = (inputs, self.features, self.taps)
        weight, bias = Weights(shape, self.features, fan_in, name="conv")()
        y = conv1d_transpose(x, weight.transpose(2, 0, 1), self.stride)
        total = self.taps - self.stride
        ratio = self.trim_right_ratio
        right = math.ceil(total * ratio) if self.is_causal else total // 2
        return y[:, total - right : y.shape[1] - right] + bias

"""SEANet encoder and decoder with an LSTM, as published in EnCodec (sec. 3.1).

Submodules are numbered as the published modules are, so a path of a parameter here is
its published name: `encoder/layers_1/block/3/conv/weight`.  Audio is [B, N] samples at
`cfg.sample_rate`, latent frames are [B, T, D] with T = ceil(N / hop).

Both are split in three parts, `front`, `recur` and `tail`, so that long audio can be
run in chunks: only `recur` carries a state (`codec/long_audio.py`).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from stemjax.config.codec import CodecConfig
from stemjax.nn.conv import Conv1d, ConvTranspose1d
from stemjax.nn.recurrent import LSTM, Carry


def elu(x: jax.Array) -> jax.Array:
    """ELU to float32's last digits, in half the time of `jax.nn.elu` on a CPU.

    Its expm1 is exp - 1, except near zero, where that cancels: there Taylor's sum.
    """
    low = jnp.minimum(x, 0)
    y = jnp.maximum(low, -0.25)
    near = y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5 * (1 + y / 6)))))
    return jnp.maximum(x, 0) + jnp.where(low > -0.25, near, jnp.exp(low) - 1)


def _conv(cfg: CodecConfig, channels: int, features: int, size: int, **kw) -> Conv1d:
    return Conv1d(
        channels,
        features,
        size,
        is_causal=cfg.use_causal_conv,
        pad_mode=cfg.pad_mode,
        **kw,
    )


class Branch(nn.Module):
    """ELU and convolution, twice; the second one looks at single samples."""

    cfg: CodecConfig
    width: int
    dilation: int

    @nn.compact
    def __call__(self, x, length=None):
        hidden = self.width // self.cfg.compress
        size = self.cfg.residual_kernel_size
        first = _conv(
            self.cfg, self.width, hidden, size, dilation=self.dilation, name="1"
        )
        second = _conv(self.cfg, hidden, self.width, 1, name="3")
        return second(elu(first(elu(x), length)), length)


class ResidualBlock(nn.Module):
    """A branch beside the identity, or beside a convolution of size 1."""

    cfg: CodecConfig
    width: int
    dilation: int

    @nn.compact
    def __call__(self, x, length=None):
        y = Branch(self.cfg, self.width, self.dilation, name="block")(x, length)
        if self.cfg.use_conv_shortcut:
            x = _conv(self.cfg, self.width, self.width, 1, name="shortcut")(x, length)
        return x + y


class Recurrent(nn.Module):
    """LSTM with a skip around all its layers."""

    cfg: CodecConfig
    width: int

    @nn.compact
    def __call__(self, x, carry: Carry | None = None):
        y, carry = LSTM(self.width, self.cfg.num_lstm_layers, name="lstm")(x, carry)
        return x + y, carry


class Encoder(nn.Module):
    """[B, N] samples to [B, T, D] latent frames."""

    cfg: CodecConfig

    def setup(self):
        cfg, width = self.cfg, self.cfg.num_filters
        layers = [_conv(cfg, cfg.audio_channels, width, cfg.kernel_size)]
        for ratio in reversed(cfg.upsampling_ratios):
            layers += _residual_blocks(cfg, width)
            layers += [elu, _conv(cfg, width, 2 * width, 2 * ratio, stride=ratio)]
            width *= 2
        self.num_front = len(layers)
        layers += [Recurrent(cfg, width), elu]
        layers += [_conv(cfg, width, cfg.hidden_size, cfg.last_kernel_size)]
        self.layers = layers

    def __call__(self, audio: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """Latents [B, T, D] of [B, N] samples.

        length: [] int32, where only so many samples are the signal; the frames from
          ceil(length / hop) on are then meaningless. N must be whole frames.
        """
        frames = None if length is None else -(-length // self.cfg.hop)
        x, _ = self.recur(self.front(audio, length))
        return self.tail(x, frames)

    def front(self, audio: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """The convolutions down to the frame rate: [B, N] to [B, T, W]."""
        x = audio[..., None]
        for layer in self.layers[: self.num_front]:
            x = layer(x) if layer is elu else layer(x, length)
            if length is not None and isinstance(layer, Conv1d):
                length = -(-length // layer.stride)
        return x

    def recur(self, x: jax.Array, carry: Carry | None = None):
        """The LSTM: [B, T, W] to [B, T, W] and its last state."""
        return self.layers[self.num_front](x, carry)

    def tail(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """The last convolution: [B, T, W] to [B, T, D]."""
        return self.layers[-1](elu(x), length)


class Decoder(nn.Module):
    """[B, T, D] latent frames to [B, T * hop] samples."""

    cfg: CodecConfig

    def setup(self):
        cfg = self.cfg
        width = cfg.num_filters * 2 ** len(cfg.upsampling_ratios)
        layers = [_conv(cfg, cfg.hidden_size, width, cfg.kernel_size)]
        layers += [Recurrent(cfg, width)]
        for ratio in cfg.upsampling_ratios:
            up = ConvTranspose1d(
                width,
                width // 2,
                2 * ratio,
                ratio,
                is_causal=cfg.use_causal_conv,
                trim_right_ratio=cfg.trim_right_ratio,
            )
            width //= 2
            layers += [elu, up, *_residual_blocks(cfg, width)]
        layers += [elu, _conv(cfg, width, cfg.audio_channels, cfg.last_kernel_size)]
        self.layers = layers

    def __call__(
        self, latents: jax.Array, length: jax.Array | None = None
    ) -> jax.Array:
        """Audio [B, T * hop]; from frame `length` [] int32 on there is no signal."""
        x, _ = self.recur(self.front(latents, length))
        return self.tail(x, length)

    def front(self, latents: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """The first convolution: [B, T, D] to [B, T, W]."""
        return self.layers[0](latents, length)

    def recur(self, x: jax.Array, carry: Carry | None = None):
        """The LSTM: [B, T, W] to [B, T, W] and its last state."""
        return self.layers[1](x, carry)

    def tail(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """The convolutions up to the sample rate: [B, T, W] to [B, T * hop]."""
        for layer in self.layers[2:]:
            x = layer(x) if layer is elu else layer(x, length)
            if length is not None and isinstance(layer, ConvTranspose1d):
                length = length * layer.stride
        return x[..., 0]


def _residual_blocks(cfg: CodecConfig, width: int) -> list[ResidualBlock]:
    return [
        ResidualBlock(cfg, width, cfg.dilation_growth_rate**j)
        for j in range(cfg.num_residual_layers)
    ]

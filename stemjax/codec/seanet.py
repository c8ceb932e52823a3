"""SEANet encoder and decoder with an LSTM (EnCodec, sec. 3.1).

Submodules have the numbers of the published modules, so a parameter's path is its
published name: `encoder/layers_1/block/3/conv/weight`.  Audio is [B, N] samples at
`cfg.sample_rate`; latent frames are [B, T, D] with T = ceil(N / hop).

Encoder and decoder have three parts, `front`, `recur` and `tail`, so that long audio can
be processed in chunks: only `recur` carries a state (`codec/long_audio.py`).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from stemjax.config.codec import CodecConfig
from stemjax.nn.conv import Conv1d, ConvTranspose1d
from stemjax.nn.recurrent import LSTM, Carry


def elu(x: jax.Array) -> jax.Array:
    """ELU with full float32 precision, in half the time of `jax.nn.elu` on a CPU.

    expm1 is computed as exp - 1; near zero, where that cancels, by its Taylor series.
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
    """ELU and convolution, twice; the second convolution has size 1."""

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
    """Sum of a branch and the identity, or of a branch and a convolution of size 1."""

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
    """LSTM with a skip connection around all its layers."""

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
        """Latent frames [B, T, D] of samples [B, N].

        length: [] int32, the number of samples that are signal; frames from
          ceil(length / hop) on are undefined, and N must be a multiple of the hop.
          None: N.
        """
        frames = None if length is None else -(-length // self.cfg.hop)
        x, _ = self.recur(self.front(audio, length))
        return self.tail(x, frames)

    def front(self, audio: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """Convolutions down to the frame rate: [B, N] to [B, T, W]."""
        x = audio[..., None]
        for layer in self.layers[: self.num_front]:
            x = layer(x) if layer is elu else layer(x, length)
            if length is not None and isinstance(layer, Conv1d):
                length = -(-length // layer.stride)
        return x

    def recur(self, x: jax.Array, carry: Carry | None = None):
        """LSTM: [B, T, W] to [B, T, W] and its final state."""
        return self.layers[self.num_front](x, carry)

    def tail(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """Last convolution: [B, T, W] to [B, T, D]."""
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
        """Samples [B, T * hop] of latent frames [B, T, D].

        length: [] int32, the number of frames that are signal; None: T.
        """
        x, _ = self.recur(self.front(latents, length))
        return self.tail(x, length)

    def front(self, latents: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """First convolution: [B, T, D] to [B, T, W]."""
        return self.layers[0](latents, length)

    def recur(self, x: jax.Array, carry: Carry | None = None):
        """LSTM: [B, T, W] to [B, T, W] and its final state."""
        return self.layers[1](x, carry)

    def tail(self, x: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """Convolutions up to the sample rate: [B, T, W] to [B, T * hop]."""
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

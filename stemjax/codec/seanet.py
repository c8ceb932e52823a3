"""SEANet encoder and decoder of EnCodec; parameter paths are the published names.

`layers_3/conv/weight` here is `layers.3.conv.weight` in the published file.  Activations
take a number of their own there, hence the gaps.
"""

import flax.linen as nn
import jax

from stemjax.config.codec import CodecConfig
from stemjax.nn.conv import Conv, ConvTranspose
from stemjax.nn.recurrent import LSTM


class ResidualBlock(nn.Module):
    """ELU, dilated convolution, ELU, pointwise convolution, and the input added."""

    cfg: CodecConfig
    dilation: int

    @nn.compact
    def __call__(self, x):  # [B, N, C]
        cfg, width = self.cfg, x.shape[-1]
        common = {"is_causal": cfg.use_causal_conv, "pad_mode": cfg.pad_mode}
        y = Conv(
            width // cfg.compress,
            cfg.residual_kernel_size,
            dilation=self.dilation,
            name="block_1",
            **common,
        )(nn.elu(x))
        y = Conv(width, 1, name="block_3", **common)(nn.elu(y))
        if cfg.use_conv_shortcut:
            x = Conv(width, 1, name="shortcut", **common)(x)
        return x + y


class ResidualLSTM(nn.Module):
    """LSTM with the input added."""

    layers: int

    @nn.compact
    def __call__(self, x, carry=None):  # [B, T, D]
        y, carry = LSTM(self.layers, name="lstm")(x, carry)
        return x + y, carry


class Encoder(nn.Module):
    """Audio [B, N] -> latent frames [B, ceil(N / hop), D]."""

    cfg: CodecConfig

    @nn.compact
    def __call__(self, audio):
        cfg = self.cfg
        common = {"is_causal": cfg.use_causal_conv, "pad_mode": cfg.pad_mode}
        width, number = cfg.num_filters, 1
        x = Conv(width, cfg.kernel_size, name="layers_0", **common)(audio[..., None])
        for ratio in reversed(cfg.upsampling_ratios):
            for j in range(cfg.num_residual_layers):
                dilation = cfg.dilation_growth_rate**j
                x = ResidualBlock(cfg, dilation, name=f"layers_{number}")(x)
                number += 1
            width *= 2
            x = Conv(width, 2 * ratio, ratio, name=f"layers_{number + 1}", **common)(
                nn.elu(x)
            )
            number += 2
        if cfg.num_lstm_layers:
            x, _ = ResidualLSTM(cfg.num_lstm_layers, name=f"layers_{number}")(x)
            number += 1
        last = Conv(
            cfg.hidden_size, cfg.last_kernel_size, name=f"layers_{number + 1}", **common
        )
        return last(nn.elu(x))


class Decoder(nn.Module):
    """Latent frames [B, T, D] -> audio [B, T * hop]."""

    cfg: CodecConfig

    @nn.compact
    def __call__(self, latents):
        cfg = self.cfg
        common = {"is_causal": cfg.use_causal_conv, "pad_mode": cfg.pad_mode}
        width = cfg.num_filters * 2 ** len(cfg.upsampling_ratios)
        x = Conv(width, cfg.kernel_size, name="layers_0", **common)(latents)
        number = 1
        if cfg.num_lstm_layers:
            x, _ = ResidualLSTM(cfg.num_lstm_layers, name="layers_1")(x)
            number = 2
        for ratio in cfg.upsampling_ratios:
            width //= 2
            x = ConvTranspose(
                width,
                2 * ratio,
                ratio,
                is_causal=cfg.use_causal_conv,
                trim_right_ratio=cfg.trim_right_ratio,
                name=f"layers_{number + 1}",
            )(nn.elu(x))
            number += 2
            for j in range(cfg.num_residual_layers):
                dilation = cfg.dilation_growth_rate**j
                x = ResidualBlock(cfg, dilation, name=f"layers_{number}")(x)
                number += 1
        last = Conv(1, cfg.last_kernel_size, name=f"layers_{number + 1}", **common)
        return jax.numpy.squeeze(last(nn.elu(x)), -1)

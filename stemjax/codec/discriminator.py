"""Multi-scale STFT discriminator and its losses (EnCodec, sec. 3.4).

There is one network per window: 2-D convolutions over time and frequency, [B, T, F, C].
All networks have the same architecture.  Weights have no weight norm: it rescales
gradients, as Adam already does.  Unlike in the paper, the first convolution also halves
the frequencies; at full resolution it takes as long as all others together.  The highest
bin is dropped, so that the number of bins can be halved.  A halving convolution is
computed on pairs of neighbouring bins with half the kernel width, because XLA computes
its derivatives 10 times as fast on a CPU.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stemjax.arrays.mel import OVERLAP, stft, window_scale
from stemjax.codec.functional import noise_like
from stemjax.config.codec import DiscriminatorConfig, Spectrum

KERNEL = (3, 8)  # frames, bins
LAST_KERNEL = (3, 3)
SLOPE = 0.2  # of the leaky ReLU below 0
FLOOR = 1e-5  # least magnitude; 1 is noise of full scale
CENTRE = -2.5  # middle of log10 magnitudes, between silence and full scale


class Judgement(NamedTuple):
    """Output of one scale of the discriminator."""

    score: jax.Array
    """[B, T, F'], above 0 for audio judged as real."""
    features: tuple[jax.Array, ...]
    """Outputs of the layers before the score, [B, T, F'', C] each."""


class Conv2d(nn.Module):
    """Zero-padded convolution over frames and bins: T frames stay, F becomes F / stride."""

    features: int
    """Output channels."""
    kernel: tuple[int, int] = KERNEL
    """Size in frames and bins."""
    stride: int = 1
    """In bins; must divide F."""
    dilation: int = 1
    """In frames."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, T, F, C] -> [B, T, F / stride, features].

        Linen's `init` sets the weight to its standard deviation, fan_in^-0.5; the
        module's `init` multiplies it by noise.
        """
        batch, frames, bins, channels = x.shape
        tall, wide = self.kernel
        weight = self.param(
            "weight",
            nn.initializers.constant((tall * wide * channels) ** -0.5),
            (tall, wide, channels, self.features),
        )
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x = x.reshape(batch, frames, bins // self.stride, self.stride * channels)
        wide //= self.stride
        weight = weight.reshape(tall, wide, self.stride * channels, self.features)
        over_frames = (tall - 1) // 2 * self.dilation
        padding = ((over_frames, over_frames), (wide // 2, (wide - 1) // 2))
        return bias + lax.conv_general_dilated(
            x,
            weight,
            window_strides=(1, 1),
            padding=padding,
            rhs_dilation=(self.dilation, 1),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )


class Scale(nn.Module):
    """Discriminator of one window."""

    cfg: DiscriminatorConfig
    """Architecture."""
    window: int
    """Samples of the Hann window."""

    @nn.compact
    def __call__(self, audio: jax.Array) -> Judgement:
        """audio: [B, N]; T = 1 + 4 N // window."""
        width = self.cfg.channels
        x = spectra(audio, self.window, self.cfg.spectrum)
        layers = [Conv2d(width, stride=2, name="enter")]
        layers += [
            Conv2d(width, stride=2, dilation=dilation, name=f"halve_{i}")
            for i, dilation in enumerate(self.cfg.dilations)
        ]
        layers += [Conv2d(width, LAST_KERNEL, name="leave")]
        features = []
        for layer in layers:
            x = nn.leaky_relu(layer(x), SLOPE)
            features.append(x)
        score = Conv2d(1, LAST_KERNEL, name="score")(x)[..., 0]
        return Judgement(score, tuple(features))


def spectra(audio: jax.Array, window: int, kind: Spectrum) -> jax.Array:
    """Input of the convolutions: audio [B, N] -> [B, T, window / 2, C].

    C = 2 (real and imaginary parts) or 1 (log10 magnitudes).  Spectra are multiplied by
    `window_scale`: parts of white noise with standard deviation s have the deviation
    s / sqrt(2) at every window length.
    """
    scale = window_scale(window)
    parts = jax.vmap(lambda one: stft(one, window, window // OVERLAP))(audio)
    real, imaginary = (scale * part[..., :-1] for part in parts)
    match kind:
        case Spectrum.COMPLEX:
            return jnp.stack([real, imaginary], axis=-1)
        case Spectrum.LOG_MAGNITUDE:
            power = real**2 + imaginary**2
            return (jnp.log10(power + FLOOR**2) / 2 - CENTRE)[..., None]


def init(key: jax.Array, cfg: DiscriminatorConfig) -> dict[str, Any]:
    """Random parameters, one subtree per window: normal weights, zero biases."""
    deviations = {
        name: Scale(cfg, window).init(key, jnp.zeros((1, window)))["params"]
        for name, window in _scales(cfg)
    }
    return noise_like(key, deviations)


def judge(
    params: Mapping[str, Any], cfg: DiscriminatorConfig, audio: jax.Array
) -> list[Judgement]:
    """Judgements of audio [B, N], one per scale."""
    return [
        Scale(cfg, window).apply({"params": params[name]}, audio)
        for name, window in _scales(cfg)
    ]


def _scales(cfg: DiscriminatorConfig) -> list[tuple[str, int]]:
    return [(f"window_{window}", window) for window in cfg.windows]


def generator_hinge(fake: Sequence[Judgement]) -> jax.Array:
    """Hinge loss of the generator: mean of max(0, 1 - score) over scales."""
    return _mean(jnp.mean(jax.nn.relu(1 - f.score)) for f in fake)


def discriminator_hinge(
    real: Sequence[Judgement], fake: Sequence[Judgement]
) -> jax.Array:
    """Hinge loss of the discriminator: max(0, 1 - real) + max(0, 1 + fake).

    Mean over scales; 2 for scores of 0.
    """
    return _mean(
        jnp.mean(jax.nn.relu(1 - r.score)) + jnp.mean(jax.nn.relu(1 + f.score))
        for r, f in zip(real, fake, strict=True)
    )


def feature_distance(real: Sequence[Judgement], fake: Sequence[Judgement]) -> jax.Array:
    """Feature matching loss (EnCodec, eq. 4).

    Mean absolute difference of features over the mean absolute value of the real ones;
    mean over layers and scales.
    """
    return _mean(
        jnp.mean(jnp.abs(a - b)) / jnp.maximum(jnp.mean(jnp.abs(a)), 1e-6)
        for r, f in zip(real, fake, strict=True)
        for a, b in zip(r.features, f.features, strict=True)
    )


def accuracy(judged: Sequence[Judgement], *, is_real: bool) -> jax.Array:
    """Share of scores with the right sign, mean over scales."""
    sign = 1 if is_real else -1
    return _mean(jnp.mean(sign * j.score > 0) for j in judged)


def _mean(values) -> jax.Array:
    return jnp.mean(jnp.stack(list(values)))

"""An encoder that hears magnitudes alone: log spectra, then convolutions over frames.

A code that follows the waveform says where in its period a tone is: moved by 2 ms, a
held note has other codes, and a small language model spends itself on guessing them.
Magnitudes do not depend on the phase, so a held note keeps its codes.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.bands import log_filters, window_scale
from stemjax.arrays.mel import TINY, hann
from stemjax.codec.frames import FrameConv, FrameStack
from stemjax.codec.level import frame_level, to_channel
from stemjax.codec.windows import windows_around
from stemjax.config.codec import Band, OscillatorCodecConfig

FLOOR = 1e-5  # magnitudes below it are equal; 1 is noise of full scale
CENTRE, SPREAD = -2.5, 1.25  # of log10 magnitudes, to bring them near -2..2
RELATIVE_CENTRE = -1.2  # of log10 magnitudes above the frame's level
DEPTH = 3.0  # decades below the frame's level: what is softer is equal


def band_spectrum(audio: jax.Array, hop: int, sample_rate: int, band: Band):
    """Log magnitudes around the middle of every frame: [B, N] to [B, T, rate * bands].

    N is whole frames of `hop`.  `band.rate` spectra per frame lie side by side.
    """
    windows = windows_around(audio, hop // band.rate, band.window)
    scaled = hann(band.window) * window_scale(band.window)
    spectrum = jnp.fft.rfft(windows * scaled.astype(np.float32))
    magnitude = jnp.sqrt(spectrum.real**2 + spectrum.imag**2 + TINY)
    bands = magnitude @ log_filters(sample_rate, band)
    level = (jnp.log10(jnp.maximum(bands, FLOOR)) - CENTRE) / SPREAD
    return level.reshape(len(audio), -1, band.rate * band.bands)


def heard(audio: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """All spectra of every frame, side by side: [B, N] to [B, T, F]; N whole frames.

    Relative to the frame's level where that is coded apart.
    """
    parts = [band_spectrum(audio, cfg.hop, cfg.sample_rate, band) for band in cfg.bands]
    spectra = jnp.concatenate(parts, axis=-1)
    if not cfg.level_units:
        return spectra
    level = frame_level(audio, cfg)[..., None]
    relative = jnp.maximum(spectra * SPREAD + CENTRE - level, -DEPTH)
    return (relative - RELATIVE_CENTRE) / SPREAD


def decades(spectra: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """Log10 magnitudes of what `heard` gives, above the level where that is apart."""
    return spectra * SPREAD + (RELATIVE_CENTRE if cfg.level_units else CENTRE)


class SpectralEncoder(nn.Module):
    """[B, N] samples to [B, T, D] latent frames."""

    cfg: OscillatorCodecConfig

    @nn.compact
    def __call__(self, audio: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """Latents [B, T, D], T = ceil(N / hop).

        length: [] int32, where only so many samples are the signal.
        """
        cfg = self.cfg
        if length is not None:
            audio = jnp.where(jnp.arange(audio.shape[1]) < length, audio, 0)
        audio = jnp.pad(audio, ((0, 0), (0, -audio.shape[1] % cfg.hop)))
        x = jax.lax.stop_gradient(heard(audio, cfg))
        frames = None if length is None else -(-length // cfg.hop)
        x = FrameConv(x.shape[-1], cfg.width, 1, name="enter")(x)
        x = FrameStack(cfg.width, cfg.encoder_dilations, name="stack")(x, frames)
        apart = 1 if cfg.level_units else 0  # channels that are the level's
        x = FrameConv(cfg.width, cfg.hidden_size - apart, 1, name="leave")(x)
        if not apart:
            return x
        level = to_channel(jax.lax.stop_gradient(frame_level(audio, cfg)), cfg)
        return jnp.concatenate([level, x], axis=-1)

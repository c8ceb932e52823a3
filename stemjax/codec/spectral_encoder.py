"""Encoder of log magnitude spectra with convolutions over frames.

Codes of the waveform depend on the phase: a held note shifted by 2 ms has other codes, and
a small language model spends its capacity on predicting them.  Magnitudes do not depend
on the phase, so a held note has constant codes.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.bands import log_filters, window_scale
from stemjax.arrays.mel import TINY, hann
from stemjax.codec.centred_windows import centred_windows
from stemjax.codec.frames import FrameConv, FrameStack
from stemjax.codec.level import frame_level, to_channel
from stemjax.config.codec import Band, OscillatorCodecConfig

FLOOR = 1e-5  # least magnitude; 1 is noise of full scale
CENTRE, SPREAD = -2.5, 1.25  # scale log10 magnitudes to about -2..2
RELATIVE_CENTRE = -1.2  # the same for log10 magnitudes relative to the frame's level
DEPTH = 3.0  # decades; least relative magnitude is this far below the frame's level


def band_spectrum(audio: jax.Array, hop: int, sample_rate: int, band: Band):
    """Scaled log magnitudes of one spectrum: [B, N] to [B, T, rate * bands].

    Windows are centred on the steps of a frame; the `band.rate` spectra of a frame are
    concatenated.  N is a multiple of `hop`.
    """
    windows = centred_windows(audio, hop // band.rate, band.window)
    scaled = hann(band.window) * window_scale(band.window)
    spectrum = jnp.fft.rfft(windows * scaled.astype(np.float32))
    magnitude = jnp.sqrt(spectrum.real**2 + spectrum.imag**2 + TINY)
    bands = magnitude @ log_filters(sample_rate, band)
    level = (jnp.log10(jnp.maximum(bands, FLOOR)) - CENTRE) / SPREAD
    return level.reshape(len(audio), -1, band.rate * band.bands)


def heard(audio: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """All spectra of every frame, scaled and concatenated: [B, N] to [B, T, F].

    If the level is coded separately, they are relative to the level of the frame.  N is
    a multiple of the hop.
    """
    parts = [band_spectrum(audio, cfg.hop, cfg.sample_rate, band) for band in cfg.bands]
    spectra = jnp.concatenate(parts, axis=-1)
    if not cfg.level_channels:
        return spectra
    level = frame_level(audio, cfg)[..., None]
    relative = jnp.maximum(spectra * SPREAD + CENTRE - level, -DEPTH)
    return (relative - RELATIVE_CENTRE) / SPREAD


def unscaled(spectra: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """Log10 magnitudes of spectra that are scaled as `heard` returns them.

    They stay relative to the level of the frame if that is coded separately.
    """
    return spectra * SPREAD + (RELATIVE_CENTRE if cfg.level_channels else CENTRE)


class SpectralEncoder(nn.Module):
    """[B, N] samples to [B, T, D] latent frames."""

    cfg: OscillatorCodecConfig

    @nn.compact
    def __call__(self, audio: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """Latent frames [B, T, D] of samples [B, N], T = ceil(N / hop).

        length: [] int32, the number of samples that are signal; None: N.
        """
        cfg = self.cfg
        if length is not None:
            audio = jnp.where(jnp.arange(audio.shape[1]) < length, audio, 0)
        audio = jnp.pad(audio, ((0, 0), (0, -audio.shape[1] % cfg.hop)))
        x = jax.lax.stop_gradient(heard(audio, cfg))
        frames = None if length is None else -(-length // cfg.hop)
        x = FrameConv(x.shape[-1], cfg.width, 1, name="enter")(x)
        x = FrameStack(cfg.width, cfg.encoder_dilations, name="stack")(x, frames)
        size = cfg.hidden_size - cfg.level_channels
        x = FrameConv(cfg.width, size, 1, name="leave")(x)
        if not cfg.level_channels:
            return x
        level = to_channel(jax.lax.stop_gradient(frame_level(audio, cfg)), cfg)
        return jnp.concatenate([level, x], axis=-1)

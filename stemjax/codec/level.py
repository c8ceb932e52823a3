"""How loud every frame is, coded apart from what it sounds like.

Spectra that are off in shape are off in level too, and codebooks hold the levels that
they have met.  So the encoder hears spectra relative to the frame's level, the level is
a channel of its own in the latent frames, and what the decoder has played is brought to
it.  The level is a K-weighted root mean square (ITU-R BS.1770-4), in decades.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.mel import hann
from stemjax.codec.windows import windows_around
from stemjax.config.codec import OscillatorCodecConfig

FLOOR = 1e-8  # mean square (-80 dB) that is added to every frame's
LEAST = 1e-10  # mean square that a gain is taken from, and to, where there is nothing
MIDDLE = -2.0  # decades: the level whose latent channel is 0
RISE = 10 ** (4 / 40)  # square root of the K curve's rise towards high frequencies


@functools.lru_cache
def k_curve(sample_rate: int, window: int) -> np.ndarray:
    """What BS.1770 multiplies the power at each bin by: [F] float32.

    The analog filters: a shelf of 4 dB around 1.5 kHz and a high pass at 38 Hz.
    """
    hertz = np.arange(window // 2 + 1) * sample_rate / window
    x = (hertz / 1_500) ** 2
    shelf = ((1 - RISE * x) ** 2 + 2 * RISE * x) / ((RISE - x) ** 2 + 2 * RISE * x)
    high_pass = (hertz**2 / (hertz**2 + 38**2)) ** 2
    return (RISE**2 * shelf * high_pass).astype(np.float32)


def frame_power(audio: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """K-weighted mean square around every frame: [B, N] to [B, T]; N whole frames."""
    size = cfg.level_window
    windows = windows_around(audio, cfg.hop, size) * hann(size).astype(np.float32)
    spectrum = jnp.fft.rfft(windows)
    power = spectrum.real**2 + spectrum.imag**2
    both = 2 / (size * np.sum(hann(size) ** 2))  # sides of the spectrum
    return power @ (k_curve(cfg.sample_rate, size) * np.float32(both))


def frame_level(audio: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """Decades of `frame_power`'s root above `FLOOR`: [B, N] to [B, T]."""
    return jnp.log10(frame_power(audio, cfg) + FLOOR) / 2


def to_channel(level: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """Levels [B, T] as the first channel of latent frames: [B, T, 1]."""
    return ((level - MIDDLE) * cfg.level_units)[..., None]


def from_channel(channel: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """Inverse of `to_channel`: [B, T, 1] to [B, T]."""
    return channel[..., 0] / cfg.level_units + MIDDLE


def bring_to(
    audio: jax.Array,
    level: jax.Array,
    cfg: OscillatorCodecConfig,
    length: jax.Array | None = None,
) -> jax.Array:
    """Audio [B, T * hop] with the levels [B, T]; gains go in lines between frames.

    length: [] int32, where only so many frames are the signal.
    """
    if length is not None:
        is_signal = jnp.arange(audio.shape[1]) < length * cfg.hop
        audio = jnp.where(is_signal, audio, 0)
    wanted = jnp.maximum(10 ** (2 * level) - FLOOR, 0)
    gain = jnp.sqrt((wanted + LEAST) / (frame_power(audio, cfg) + LEAST))
    if length is not None:  # the last frame's gain holds to the end
        gain = gain[:, jnp.minimum(jnp.arange(gain.shape[1]), length - 1)]
    return audio * between_frames(gain, cfg.hop)


def between_frames(values: jax.Array, hop: int) -> jax.Array:
    """Values [B, T] at the frames' middles, in lines between: to [B, T * hop]."""
    edges = jnp.pad(values, ((0, 0), (1, 1)), mode="edge")
    part = ((np.arange(hop) + 0.5) / hop).astype(np.float32)
    lines = edges[:, :-1, None] * (1 - part) + edges[:, 1:, None] * part
    return lines.reshape(len(values), -1)[:, hop // 2 : hop // 2 - hop]

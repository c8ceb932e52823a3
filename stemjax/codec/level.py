"""Level of each frame, coded separately from the shape of its spectra.

A codec whose codes hold absolute spectra reproduces the level with the error of the
spectra, and only levels that its codebooks were fitted to.  Therefore the encoder's input
is relative to the level of the frame, one channel of the latent frames holds the level,
and the decoder scales its output to that level.  The level is log10 of a K-weighted root
mean square (ITU-R BS.1770-4).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.mel import hann
from stemjax.codec.centred_windows import centred_windows
from stemjax.config.codec import OscillatorCodecConfig

POWER_FLOOR = 1e-8  # mean square (-80 dB) added to the power of every frame
GAIN_FLOOR = 1e-10  # mean square added to both powers of a gain, for silent frames
CENTRE_LEVEL = -2.0  # level, in decades, that the channel value 0 stands for
SHELF = 10 ** (4 / 40)  # square root of the K curve's gain at high frequencies


@functools.lru_cache
def k_weights(sample_rate: int, window: int) -> np.ndarray:
    """Factor of the power at each bin of a spectrum by BS.1770: [F] float32.

    The standard's filters in analog form: a shelf of 4 dB at 1.5 kHz and a high pass at
    38 Hz.
    """
    hertz = np.arange(window // 2 + 1) * sample_rate / window
    x = (hertz / 1_500) ** 2
    shelf = ((1 - SHELF * x) ** 2 + 2 * SHELF * x) / ((SHELF - x) ** 2 + 2 * SHELF * x)
    high_pass = (hertz**2 / (hertz**2 + 38**2)) ** 2
    return (SHELF**2 * shelf * high_pass).astype(np.float32)


def frame_power(audio: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """K-weighted mean square of the window around each frame: [B, N] to [B, T].

    N is a multiple of the hop.
    """
    size = cfg.level_window
    windows = centred_windows(audio, cfg.hop, size) * hann(size).astype(np.float32)
    spectrum = jnp.fft.rfft(windows)
    power = spectrum.real**2 + spectrum.imag**2
    two_sided = 2 / (size * np.sum(hann(size) ** 2))
    return power @ (k_weights(cfg.sample_rate, size) * np.float32(two_sided))


def frame_level(audio: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """Level of each frame in decades of the root mean square: [B, N] to [B, T].

    N is a multiple of the hop.  Silence has the level of `POWER_FLOOR`, -4.
    """
    return jnp.log10(frame_power(audio, cfg) + POWER_FLOOR) / 2


def to_channel(level: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """Levels [B, T] as a channel of latent frames: [B, T, 1]."""
    return ((level - CENTRE_LEVEL) * cfg.level_units)[..., None]


def from_channel(channel: jax.Array, cfg: OscillatorCodecConfig) -> jax.Array:
    """Inverse of `to_channel`: [B, T, 1] to [B, T]."""
    return channel[..., 0] / cfg.level_units + CENTRE_LEVEL


def set_level(
    audio: jax.Array,
    level: jax.Array,
    cfg: OscillatorCodecConfig,
    length: jax.Array | None = None,
) -> jax.Array:
    """Scale audio [B, T * hop] to the levels [B, T] of its frames.

    Gains are interpolated linearly between frames.

    length: [] int32, the number of frames that are signal; None: T.
    """
    if length is not None:
        is_signal = jnp.arange(audio.shape[1]) < length * cfg.hop
        audio = jnp.where(is_signal, audio, 0)
    wanted = jnp.maximum(10 ** (2 * level) - POWER_FLOOR, 0)
    gain = jnp.sqrt((wanted + GAIN_FLOOR) / (frame_power(audio, cfg) + GAIN_FLOOR))
    if length is not None:  # frames after the last one have its gain
        gain = gain[:, jnp.minimum(jnp.arange(gain.shape[1]), length - 1)]
    return audio * interpolate_frames(gain, cfg.hop)


def interpolate_frames(values: jax.Array, hop: int) -> jax.Array:
    """Linear interpolation of values at the frames' middles: [B, T] to [B, T * hop]."""
    edges = jnp.pad(values, ((0, 0), (1, 1)), mode="edge")
    part = ((np.arange(hop) + 0.5) / hop).astype(np.float32)
    lines = edges[:, :-1, None] * (1 - part) + edges[:, 1:, None] * part
    return lines.reshape(len(values), -1)[:, hop // 2 : hop // 2 - hop]

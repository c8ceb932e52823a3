"""Decoder of fixed oscillators and filtered noise (DDSP, Engel et al. 2020, sec. 3).

DDSP synthesizes one pitch; here oscillators a quarter tone apart cover all pitches.  Codes
hold no phase, and constant codes must give a continuous tone.  Convolutions alone would
repeat at every frame and could only hold multiples of the frame rate.  Here the network
predicts the amplitude of each oscillator, whose phase comes from a clock that runs on
over frames; a held note has constant amplitudes.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.mel import hann
from stemjax.codec.frames import FrameConv, FrameStack
from stemjax.codec.level import from_channel, set_level
from stemjax.codec.spectral_encoder import unscaled
from stemjax.config.codec import OscillatorCodecConfig

LOUDEST = 2.0  # log amplitude
HISS = -2.0  # log gain of noise relative to the spectrum, before corrections
CORRECTION = 0.5  # scale of a step's corrections: small at first
PHASES = 4_000  # period of the clock in steps, for all oscillators


def frequencies(cfg: OscillatorCodecConfig) -> np.ndarray:
    """Frequencies of the oscillators in Hz: [K].

    Quarter tones relative to A = 440 Hz, rounded to the clock's grid.
    """
    grid = step_rate(cfg) / PHASES
    steps = np.arange(
        np.ceil(24 * np.log2(cfg.lowest / 440)),
        np.floor(24 * np.log2(cfg.highest / 440)) + 1,
    )
    return np.round(440 * 2 ** (steps / 24) / grid) * grid


def step_rate(cfg: OscillatorCodecConfig) -> float:
    """Synthesis steps per second."""
    return cfg.frame_rate * cfg.steps_per_frame


@functools.lru_cache
def _waves(cfg: OscillatorCodecConfig) -> np.ndarray:
    """Windowed cosines, then negative sines, of all oscillators around a step's middle.

    [2 K, 2 H] float32 with H samples per step; overlapping windows sum to 1.
    """
    size = 2 * cfg.hop // cfg.steps_per_frame
    seconds = (np.arange(size) - size / 2) / cfg.sample_rate
    angle = 2 * np.pi * frequencies(cfg)[:, None] * seconds
    waves = np.concatenate([np.cos(angle), -np.sin(angle)])
    return (waves * hann(size)).astype(np.float32)


def noise_centres(cfg: OscillatorCodecConfig) -> np.ndarray:
    """Centre frequencies of the noise bands in Hz: [M]."""
    top = np.log1p(cfg.sample_rate / 2 / 700)
    return 700 * np.expm1(top * np.arange(cfg.noise_bands) / (cfg.noise_bands - 1))


@functools.lru_cache
def _noise_filters(cfg: OscillatorCodecConfig) -> np.ndarray:
    """Overlapping triangles on a mel-like scale that sum to 1 at every bin: [M, F]."""
    size = 2 * cfg.hop // cfg.steps_per_frame
    hertz = np.arange(size // 2 + 1) * cfg.sample_rate / size
    place = np.log1p(hertz / 700) / np.log1p(cfg.sample_rate / 2 / 700)
    place *= cfg.noise_bands - 1
    bands = np.arange(cfg.noise_bands)[:, None]
    return np.maximum(0, 1 - np.abs(place - bands)).astype(np.float32)


def overlap_add(windows: jax.Array) -> jax.Array:
    """Overlap-add windows [B, S, 2 H] at steps of H samples: -> [B, S * H].

    The first window is centred on sample H / 2.
    """
    half = windows.shape[-1] // 2
    first, second = windows[..., :half], windows[..., half:]
    early = jnp.pad(first, ((0, 0), (0, 1), (0, 0)))
    late = jnp.pad(second, ((0, 0), (1, 0), (0, 0)))
    flat = (early + late).reshape(len(windows), -1)
    return flat[:, half // 2 : half // 2 + windows.shape[1] * half]


def tones(cfg: OscillatorCodecConfig, cosine, sine, start) -> jax.Array:
    """Windows [B, S, 2 H] of oscillators with cosine and sine amplitudes [B, S, K].

    start: [] int32, the clock's number of the first step.
    """
    turns = np.round(frequencies(cfg) * PHASES / step_rate(cfg)).astype(np.int64)
    turns = (turns % PHASES).astype(np.int32)
    step = (start + jnp.arange(cosine.shape[1], dtype=jnp.int32)) % PHASES
    angle = (step[:, None] * turns % PHASES) * np.float32(2 * np.pi / PHASES)
    c, s = jnp.cos(angle), jnp.sin(angle)
    # Re (cosine - i sine) e^(i angle) e^(i w t)
    real, imaginary = cosine * c + sine * s, cosine * s - sine * c
    return jnp.concatenate([real, imaginary], axis=-1) @ _waves(cfg)


def noise(cfg: OscillatorCodecConfig, gains, start) -> jax.Array:
    """Windows [B, S, 2 H] of noise with gains [B, S, M] per band.

    The noise of a step only depends on its number on the clock.
    """
    size = 2 * cfg.hop // cfg.steps_per_frame
    bins = size // 2 + 1

    def phases(step):
        return jax.random.uniform(jax.random.fold_in(jax.random.key(0), step), (bins,))

    steps = (start + jnp.arange(gains.shape[1], dtype=jnp.int32)) % PHASES
    angle = 2 * jnp.pi * jax.vmap(phases)(steps)
    shape = gains @ _noise_filters(cfg) * np.float32(np.sqrt(size))
    spectrum = jax.lax.complex(shape * jnp.cos(angle), shape * jnp.sin(angle))
    window = np.sqrt(hann(size)).astype(np.float32)
    return jnp.fft.irfft(spectrum, n=size) * window


@functools.lru_cache
def _levels_of(cfg: OscillatorCodecConfig, hertz: tuple[float, ...]) -> np.ndarray:
    """Matrix that interpolates the level at `hertz` from a frame's spectra.

    [F, len(hertz)].  Each frequency uses the longest window whose bands include it, with
    linear interpolation between the two nearest bands; several spectra per frame are
    averaged.
    """
    rows, at = [], np.asarray(hertz)
    free = np.ones(len(at), bool)
    for i, band in enumerate(cfg.bands):
        centres = np.log(np.geomspace(band.low, band.high, band.bands))
        is_last = i == len(cfg.bands) - 1
        mine = free & (is_last | (at <= band.high))
        free &= ~mine
        place = np.interp(np.log(np.maximum(at, 1.0)), centres, np.arange(band.bands))
        near = np.maximum(0, 1 - np.abs(place - np.arange(band.bands)[:, None]))
        rows += [np.where(mine, near, 0) / band.rate] * band.rate
    return np.concatenate(rows).astype(np.float32)


@functools.lru_cache
def _tone_offset(cfg: OscillatorCodecConfig) -> np.ndarray:
    """Log amplitude of a sine minus the log level of its band: [K]."""
    offset = np.zeros(len(frequencies(cfg)))
    free = np.ones(len(offset), bool)
    for band in cfg.bands:
        mine = free & (frequencies(cfg) <= band.high)
        free &= ~mine
        window = hann(band.window)
        offset[mine | free] = -np.log(np.sum(window) / 2 / np.sqrt(np.sum(window**2)))
    return offset.astype(np.float32)


def _angles(cfg: OscillatorCodecConfig) -> np.ndarray:
    """Fixed phases of the oscillators, spread by the golden ratio: [K] float32.

    Oscillators in phase would produce a click at the start of the clock.
    """
    golden = (np.sqrt(5) - 1) / 2
    return (2 * np.pi * (np.arange(len(frequencies(cfg))) * golden % 1)).astype("f4")


class OscillatorDecoder(nn.Module):
    """Latent frames [B, T, D] to samples [B, T * hop].

    The network first predicts the encoder's spectra, which have a separate loss.  The
    gains of oscillators and noise bands are interpolated from these spectra and
    corrected at the rate of the synthesis steps by convolutions over steps.  A level
    that is coded separately shifts the spectra, and the output is scaled to it.
    """

    cfg: OscillatorCodecConfig

    def setup(self):
        cfg, rate = self.cfg, self.cfg.steps_per_frame
        spectra = sum(band.rate * band.bands for band in cfg.bands)
        players = len(frequencies(cfg)) + cfg.noise_bands
        self.enter = FrameConv(cfg.hidden_size - cfg.level_channels, cfg.width, 3)
        self.stack = FrameStack(cfg.width, cfg.decoder_dilations)
        self.spectrum = FrameConv(cfg.width, spectra, 1)
        self.spread = FrameConv(cfg.width, rate * cfg.step_width, 1)
        self.steps = FrameStack(cfg.step_width, cfg.step_dilations)
        self.leave = FrameConv(cfg.step_width, players, 1)

    def __call__(
        self, latents: jax.Array, length: jax.Array | None = None, start=0
    ) -> jax.Array:
        """Samples [B, T * hop] of latent frames [B, T, D].

        Args:
          length: [] int32, the number of frames that are signal; None: T.
          start: [] int32, the clock's number of the first frame.
        """
        return self.with_spectra(latents, length, start)[0]

    def with_spectra(
        self, latents: jax.Array, length: jax.Array | None = None, start=0
    ) -> tuple[jax.Array, jax.Array]:
        """Samples, and the predicted spectra [B, T, F], as from `spectral_encoder.heard`.

        Arguments as in `__call__`.
        """
        cfg = self.cfg
        if not cfg.level_channels:
            frames = self.frames(latents, length)
            spectra = self.spectrum(frames)
            return self.play(frames, unscaled(spectra, cfg), length, start), spectra
        level = from_channel(latents[..., :1], cfg)
        frames = self.frames(latents[..., 1:], length)
        spectra = self.spectrum(frames)
        absolute = unscaled(spectra, cfg) + level[..., None]
        audio = self.play(frames, absolute, length, start)
        return set_level(audio, level, cfg, length), spectra

    def frames(self, latents: jax.Array, length: jax.Array | None = None) -> jax.Array:
        """Features of every frame: [B, T, D], without a level's channel -> [B, T, W]."""
        return self.stack(self.enter(latents, length), length)

    def play(self, frames: jax.Array, spectra, length=None, start=0) -> jax.Array:
        """Samples [B, T * hop] of features [B, T, W].

        spectra: [B, T, F], log10 magnitudes.  Other arguments as in `__call__`.
        """
        cfg, rate = self.cfg, self.cfg.steps_per_frame
        x = self.spread(frames)
        x = x.reshape(len(x), -1, cfg.step_width)
        x = self.steps(x, None if length is None else length * rate)
        level = np.log(10) * spectra
        tone = level @ _levels_of(cfg, tuple(frequencies(cfg))) + _tone_offset(cfg)
        hiss = level @ _levels_of(cfg, tuple(noise_centres(cfg))) + HISS
        base = jnp.repeat(jnp.concatenate([tone, hiss], axis=-1), rate, axis=1)
        played = jnp.exp(jnp.minimum(base + CORRECTION * self.leave(x), LOUDEST))
        tone, hiss = jnp.split(played, [len(frequencies(cfg))], axis=-1)
        first = start * rate
        angle = _angles(cfg)
        windows = tones(cfg, tone * np.cos(angle), tone * np.sin(angle), first)
        windows += noise(cfg, hiss, first)
        if length is not None:
            is_signal = jnp.arange(windows.shape[1]) < length * rate
            windows = jnp.where(is_signal[:, None], windows, 0)
        return overlap_add(windows)

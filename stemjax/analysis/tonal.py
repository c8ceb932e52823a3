"""What is pitched in a clip: a semitone spectrogram, its fundamentals, its chroma.

Device side, for one clip of mono audio at 16 kHz; `analyse_tonal_batch` is the jitted
form for many. Frames are 20 per second, frame t centred at t / 20 s.

Sources: constant-Q bins from an FFT by a fixed matrix of kernels (Brown and Puckette,
1992; here Gaussians on magnitudes, as phases are not needed); overtones of lower notes
are subtracted with fixed shares of their log-compressed salience; spectral flatness as
in ISO/IEC 15938-4 (MPEG-7 audio).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.mel import hann

SAMPLE_RATE = 16_000
HOP = 800
FRAME_RATE = SAMPLE_RATE // HOP
FFT_SIZE = 8192
LOWEST_MIDI = 24  # C1
NUM_SEMITONES = 84
BINS_PER_SEMITONE = 3
NUM_BINS = BINS_PER_SEMITONE * NUM_SEMITONES
CHROMA_SEMITONES = 72  # C1 to B6

_KERNEL_SD_BINS = 0.5  # of the distance to the next bin of the bank
_KERNEL_LEAST_SD = 0.8  # of the distance between FFT bins
_COMPRESSION = 100.0
_REFERENCE_PERCENTILE = 99.5
_LOCAL_BINS = 25
_HARMONICS = ((12, 0.5), (19, 0.45), (24, 0.35), (28, 0.3), (31, 0.25))
_LEAST_PEAK = 10 ** (-50 / 20)  # of a full-scale sine
_FLAT = 0.5
_MOST_FLAT_FRAMES = 0.9
_LOWEST_FFT_BIN = 16  # 31 Hz
_TINY = 1e-12


class Tonal(NamedTuple):
    """Pitched content of one clip, T = 20 frames per second."""

    semitones: jax.Array
    """[T, 84] log-compressed salience from C1 (MIDI 24), the tuning taken out."""
    harmonic: jax.Array
    """[T, 84] `semitones` without the overtones of lower notes."""
    chroma: jax.Array
    """[T, 12] sum of `harmonic` over C1-B6; index 0 is C."""
    is_tonal: jax.Array
    """[] bool: the clip is loud enough and not noise throughout."""


def analyse_tonal(audio: jax.Array) -> Tonal:
    """Semitones, fundamentals, chroma and the tonal gate of one clip.

    audio: [N] at 16 kHz, full scale 1.  Returns arrays of T = N // 800 frames.
    """
    spectrum = _spectrum(audio)
    bank = jnp.asarray(_kernel_matrix())
    bins = spectrum[:, : bank.shape[1]] @ bank.T  # [T, 252]
    semitones = _semitones(bins)
    harmonic = _without_overtones(semitones)
    chroma = harmonic[:, :CHROMA_SEMITONES].reshape(-1, CHROMA_SEMITONES // 12, 12)
    is_tonal = (bins.max() >= _LEAST_PEAK) & ~_is_noise(spectrum)
    return Tonal(semitones, harmonic, chroma.sum(1), is_tonal)


@jax.jit
def analyse_tonal_batch(audio: jax.Array) -> Tonal:
    """`analyse_tonal` of each clip of [B, N]; every field gains a leading B."""
    with jax.default_matmul_precision("highest"):
        return jax.vmap(analyse_tonal)(audio)


def _spectrum(audio):
    """[N] -> [T, F] magnitudes; a sine of amplitude 1 peaks at 1."""
    (num_samples,) = audio.shape
    num_frames = num_samples // HOP
    num_blocks = -(-FFT_SIZE // HOP)
    half = FFT_SIZE // 2
    end = (num_frames + num_blocks) * HOP
    padded = jnp.pad(audio, (half, max(0, end - half - num_samples)))[:end]
    blocks = padded.reshape(-1, HOP)
    shifted = [blocks[i : i + num_frames] for i in range(num_blocks)]
    frames = jnp.concatenate(shifted, axis=1)[:, :FFT_SIZE]
    window = hann(FFT_SIZE)
    window = (window * 2 / window.sum()).astype(np.float32)
    return jnp.abs(jnp.fft.rfft(frames * window, axis=1))


@functools.cache
def _kernel_matrix():
    """[252, F'] Gaussians about the bank's bins, up to the last FFT bin they reach.

    Bin 3 s + j lies (j - 1) / 3 semitones off semitone s. A row is scaled so that a
    sine of amplitude 1 at its centre gives 1.
    """
    offsets = (np.arange(NUM_BINS) - 1) / BINS_PER_SEMITONE
    hertz = 440.0 * 2.0 ** ((LOWEST_MIDI + offsets - 69) / 12)
    centres = (hertz * FFT_SIZE / SAMPLE_RATE)[:, None]
    spacing = centres * (2.0 ** (1 / (12 * BINS_PER_SEMITONE)) - 1)
    sd = np.maximum(_KERNEL_SD_BINS * spacing, _KERNEL_LEAST_SD)
    reach = int(np.ceil(centres[-1, 0] + 4 * sd[-1, 0])) + 1
    away = np.arange(reach) - centres
    kernel = np.exp(-0.5 * (away / sd) ** 2)
    kernel[np.abs(away) > 4 * sd] = 0.0
    # the magnitude of a Hann window's transform, `away` FFT bins off the sine
    near_one = np.abs(np.abs(away) - 1) < 1e-6
    lobe = np.sinc(away) / np.where(near_one, 1.0, 1 - away**2)
    lobe = np.where(near_one, 0.5, np.abs(lobe))
    return (kernel / (kernel * lobe).sum(1, keepdims=True)).astype(np.float32)


def _semitones(bins):
    """[T, 252] linear -> [T, 84]: compress, whiten, tune, and take the best third."""
    level = jnp.percentile(bins, _REFERENCE_PERCENTILE)
    bins = jnp.log1p(_COMPRESSION * bins / jnp.maximum(level, _TINY))
    bins = jax.nn.relu(bins @ jnp.asarray(_minus_local_mean()))
    thirds = bins.reshape(-1, NUM_SEMITONES, BINS_PER_SEMITONE).sum((0, 1))
    padded = jnp.pad(bins, ((0, 0), (1, 1)))
    tuned = jax.lax.dynamic_slice_in_dim(padded, jnp.argmax(thirds), NUM_BINS, axis=1)
    return tuned.reshape(-1, NUM_SEMITONES, BINS_PER_SEMITONE).max(-1)


@functools.cache
def _minus_local_mean():
    """[252, 252]: right-multiplied, takes from a bin the mean of the 25 about it."""
    distance = np.abs(np.subtract.outer(np.arange(NUM_BINS), np.arange(NUM_BINS)))
    is_near = distance <= _LOCAL_BINS // 2
    return (np.eye(NUM_BINS) - is_near / is_near.sum(0)).astype(np.float32)


def _without_overtones(semitones):
    """[T, 84] -> [T, 84]: less a share of each note that has this one as overtone."""
    padded = jnp.pad(semitones, ((0, 0), (_HARMONICS[-1][0], 0)))
    fundamental = semitones
    for interval, share in _HARMONICS:
        start = _HARMONICS[-1][0] - interval
        fundamental = fundamental - share * padded[:, start : start + NUM_SEMITONES]
    return jax.nn.relu(fundamental)


def _is_noise(spectrum):
    """[T, F] -> [] bool: more than nine in ten of the sounding frames are flat.

    Flatness is measured over the bank's reach alone: a resampler's or a codec's
    roll-off near 8 kHz would make white noise look coloured.
    """
    reach = _kernel_matrix().shape[1]
    power = spectrum[:, _LOWEST_FFT_BIN:reach] ** 2
    mean = power.mean(1)
    geometric = jnp.exp(jnp.log(power + _TINY**2).mean(1))
    is_sounding = mean > _TINY
    is_flat = is_sounding & (geometric > _FLAT * mean)
    return is_flat.sum() > _MOST_FLAT_FRAMES * is_sounding.sum()

"""Spectra with bands spaced evenly in log frequency, like musical notes."""

import functools

import numpy as np

from stemjax.arrays.mel import OVERLAP, hann, stft_magnitude
from stemjax.config.codec import Band


@functools.lru_cache
def log_filters(sample_rate: int, band: Band) -> np.ndarray:
    """Triangular filters spaced evenly in log frequency: [F, bands] float32.

    Each triangle is at least two bins wide, and its weights sum to 1.
    """
    centres = np.geomspace(band.low, band.high, band.bands)
    hertz = np.arange(band.window // 2 + 1) * sample_rate / band.window
    bin_width = sample_rate / band.window  # Hz
    half = np.maximum(centres * (centres[1] / centres[0] - 1), bin_width)
    weights = np.maximum(0, 1 - np.abs(hertz[:, None] - centres) / half)
    return (weights / weights.sum(axis=0)).astype(np.float32)


def window_scale(window: int) -> np.float32:
    """Factor for magnitudes of a Hann-windowed DFT: 1 / root of the window's energy.

    Scaled magnitudes of white noise with standard deviation s are about s at every
    window length.
    """
    return np.float32(1 / np.sqrt(np.sum(hann(window) ** 2)))


def band_magnitude(audio, band: Band, sample_rate: int):
    """Mean magnitude per band at a hop of window / 4: [N] -> [T, bands]."""
    magnitude = stft_magnitude(audio, band.window, band.window // OVERLAP)
    return magnitude @ log_filters(sample_rate, band) * window_scale(band.window)

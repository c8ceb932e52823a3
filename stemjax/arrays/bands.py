"""Spectra whose bands are evenly spaced in log frequency, as notes are."""

import functools

import numpy as np

from stemjax.arrays.mel import OVERLAP, hann, stft_magnitude
from stemjax.config.codec import Band


@functools.lru_cache
def log_filters(sample_rate: int, band: Band) -> np.ndarray:
    """Triangles evenly spaced in log frequency, at least two bins wide: [F, bands].

    Each triangle's weights sum to 1.
    """
    centres = np.geomspace(band.low, band.high, band.bands)
    hertz = np.arange(band.window // 2 + 1) * sample_rate / band.window
    least = sample_rate / band.window  # one bin to either side
    half = np.maximum(centres * (centres[1] / centres[0] - 1), least)
    weights = np.maximum(0, 1 - np.abs(hertz[:, None] - centres) / half)
    return (weights / weights.sum(axis=0)).astype(np.float32)


def window_scale(window: int) -> np.float32:
    """With it, white noise of standard deviation s reads about s at every window."""
    return np.float32(1 / np.sqrt(np.sum(hann(window) ** 2)))


def band_magnitude(audio, band: Band, sample_rate: int):
    """Mean magnitude per band, hop a quarter of the window: [N] -> [T, bands]."""
    magnitude = stft_magnitude(audio, band.window, band.window // OVERLAP)
    return magnitude @ log_filters(sample_rate, band) * window_scale(band.window)

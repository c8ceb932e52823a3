"""Log-frequency bands, and the distance of partials."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.arrays.bands import band_magnitude, log_filters
from stemjax.arrays.losses import ROOT_FLOOR, tone_distance
from stemjax.config.codec import Band, CodecObjective

RATE = 32_000
BAND = Band(
    window=8_192, low=55.0, high=880.0, bands=97
)  # quarter tones over 4 octaves
OBJECTIVE = CodecObjective(tone_bands=(BAND,))


def tone(hertz: float, gain: float = 0.5) -> np.ndarray:
    return np.float32(gain * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE))


def test_filters_are_means_of_their_bins():
    weights = log_filters(RATE, BAND)
    assert weights.shape == (4_097, 97)
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-6)
    hertz = np.arange(4_097) * RATE / 8_192
    centres = 55 * 2 ** (np.arange(97) / 24)
    # a triangle's mean lies at its middle, within half a bin
    np.testing.assert_allclose(hertz @ weights, centres, atol=2.0)


@pytest.mark.parametrize("step", [30, 48, 72, 90])
def test_a_quarter_tone_is_loudest_in_its_band(step):
    magnitudes = np.asarray(band_magnitude(tone(55 * 2 ** (step / 24)), BAND, RATE))[
        4:-4
    ]
    assert np.all(np.argmax(magnitudes, axis=1) == step)


def test_noise_has_its_deviation_as_level_in_every_band():
    rng = np.random.default_rng(0)
    noise = np.float32(0.1 * rng.normal(size=20 * RATE))
    magnitudes = np.asarray(band_magnitude(noise, BAND, RATE)).mean(axis=0)
    # the mean magnitude of complex noise is sqrt(pi) / 2 of its deviation; 39 windows
    # of independent noise leave 8 % of error a band, less where bands are averages
    np.testing.assert_allclose(magnitudes, 0.1 * np.sqrt(np.pi) / 2, rtol=0.25)


def test_distance_is_0_for_equal_and_1_for_silent_signals():
    b = tone(220.0)
    assert tone_distance(b, b, OBJECTIVE, RATE) == 0
    roots = jnp.sqrt(band_magnitude(b, BAND, RATE) + ROOT_FLOOR)
    silent = 1 - np.sqrt(ROOT_FLOOR) / float(jnp.mean(roots))
    distance = tone_distance(jnp.zeros(RATE), b, OBJECTIVE, RATE)
    np.testing.assert_allclose(distance, silent, rtol=1e-5)
    assert silent > 0.8


def test_distance_depends_on_the_pitch_and_not_on_the_phase():
    b = tone(220.0)
    moved = np.roll(b, 37)
    semitone = tone(220.0 * 2 ** (1 / 12))
    assert tone_distance(moved, b, OBJECTIVE, RATE) < 0.15  # the cut ends differ
    assert tone_distance(semitone, b, OBJECTIVE, RATE) > 0.5


@pytest.mark.slow
def test_gradient_is_finite_at_silence():
    silence = jnp.zeros(RATE)
    gradient = jax.grad(tone_distance)(silence, silence, OBJECTIVE, RATE)
    assert np.all(np.isfinite(gradient))

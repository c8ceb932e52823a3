"""The vectors of FD-logmel."""

import numpy as np
import pytest

from stemjax.eval.metrics.log_mel_statistics import mean_and_std
from stemjax.eval.metrics.vggish.features import GOOGLE, GUDGUD, patches


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Between Gaussians fitted to [n, d] and [m, d]."""
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = np.sqrt(np.maximum(np.linalg.eigvals(cov_a @ cov_b).real, 0)).sum()
    shift = np.square(a.mean(0) - b.mean(0)).sum()
    return float(shift + np.trace(cov_a) + np.trace(cov_b) - 2 * root)


def test_a_hand_made_patch():
    patch = np.zeros((1, 96, 64), np.float32)
    patch[0, :, 3] = 2.0  # constant
    patch[0, ::2, 5] = 1.0  # half ones, half zeros
    patch[0, 0, 7] = 96.0  # one frame
    found = np.asarray(mean_and_std(patch))
    expected = np.zeros((1, 128))
    expected[0, [3, 5, 7]] = 2.0, 0.5, 1.0
    expected[0, [64 + 5, 64 + 7]] = 0.5, np.sqrt(95)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_patches_stay_apart_and_in_order():
    rng = np.random.Generator(np.random.Philox(1))
    some = rng.standard_normal((5, 96, 64)).astype(np.float32)
    found = np.asarray(mean_and_std(some))
    expected = np.concatenate(
        [some.mean(1, dtype=np.float64), some.std(1, dtype=np.float64)], axis=1
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture(scope="module")
def tones() -> np.ndarray:
    """Clips of 2 s, tones of random pitch over a noise floor of -60 dB, [48, N]."""
    rng = np.random.Generator(np.random.Philox(2))
    time = np.arange(32_000) / 16_000
    hertz = rng.uniform(100, 4_000, (48, 4, 1))
    tones = 0.1 * np.sin(2 * np.pi * hertz * time).sum(1)
    return tones + 1e-3 * rng.standard_normal(tones.shape)


@pytest.mark.parametrize("preset", [GOOGLE, GUDGUD], ids=lambda p: p.name)
def test_more_noise_is_further_away(tones, preset):
    def vectors(clips):
        clips = clips.astype(np.float32)
        return np.concatenate([mean_and_std(patches(clip, preset)) for clip in clips])

    rng = np.random.Generator(np.random.Philox(3))
    noise = rng.standard_normal(tones.shape) * tones.std(axis=1, keepdims=True)
    clean = vectors(tones)
    distances = [
        frechet(clean, vectors(tones + 10 ** (-snr / 20) * noise))
        for snr in (50, 40, 30, 20, 10)
    ]
    assert 0 < distances[0]
    assert all(a * 1.2 < b for a, b in zip(distances, distances[1:], strict=False))
    assert abs(frechet(clean, clean)) < 0.01 * distances[0]

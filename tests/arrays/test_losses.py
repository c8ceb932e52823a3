"""Distances: tables by hand, limits, a NumPy twin through librosa."""

import dataclasses

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from stemjax.arrays.losses import bins_of, si_sdr, wave_distance
from stemjax.arrays.losses import multi_scale_mel_distance as mel_distance
from stemjax.config.codec import CodecObjective

RATE = 32_000
CFG = CodecObjective(mel_windows=(64, 512), mel_bins=32)
multi_scale_mel_distance = jax.jit(mel_distance, static_argnums=(2, 3))


def noise(seed: int, samples: int = 8000) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).normal(size=samples).astype(np.float32)


def slow_log_mel(x: np.ndarray, window: int, bins: int, floor: float) -> np.ndarray:
    """Through librosa alone, in float64."""
    spectrum = np.abs(
        librosa.stft(x.astype(float), n_fft=window, hop_length=window // 4)
    )
    hann = librosa.filters.get_window("hann", window)
    filters = librosa.filters.mel(
        sr=RATE, n_fft=window, n_mels=bins, htk=True, norm=1, dtype=np.float64
    )
    mel = filters @ spectrum / np.sqrt((hann**2).sum())
    return np.log10(np.maximum(mel, floor))


@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_mel_distance_is_its_twin(l2):
    cfg = dataclasses.replace(CFG, mel_l2_weight=l2)
    a, b = noise(0), noise(1)
    expected = []
    for window in cfg.mel_windows:
        bins = bins_of(window, cfg.mel_bins)
        d = slow_log_mel(a, window, bins, 1e-5) - slow_log_mel(b, window, bins, 1e-5)
        expected.append(np.abs(d).mean() + l2 * np.sqrt((d**2).mean()))
    ours = multi_scale_mel_distance(jnp.asarray(a), jnp.asarray(b), cfg, RATE)
    assert float(ours) == pytest.approx(np.mean(expected), rel=1e-4)  # float32 spectra


def test_a_gain_of_ten_is_one_decade_at_every_window():
    a = jnp.asarray(noise(0))
    assert float(multi_scale_mel_distance(a, 10 * a, CFG, RATE)) == pytest.approx(
        1.0, abs=1e-4
    )
    assert float(multi_scale_mel_distance(a, a, CFG, RATE)) == 0


def test_the_floor_hides_what_lies_below_it():
    cfg = dataclasses.replace(CFG, mel_floor=1e-2)
    a, b = jnp.asarray(1e-3 * noise(0)), jnp.asarray(1e-3 * noise(1))
    assert float(multi_scale_mel_distance(a, b, cfg, RATE)) == 0
    assert float(multi_scale_mel_distance(a, b, CFG, RATE)) > 0.05


def test_gradients_are_finite_at_silence_and_at_equality():
    for cfg in (CFG, dataclasses.replace(CFG, mel_l2_weight=1.0)):
        slope = jax.jit(jax.grad(mel_distance), static_argnums=(2, 3))
        for a, b in [(jnp.zeros(4000), noise(1, 4000)), (noise(1, 4000),) * 2]:
            gradient = slope(jnp.asarray(a), jnp.asarray(b), cfg, RATE)
            assert np.isfinite(gradient).all()


def test_bins_by_hand():
    assert [bins_of(w, 64) for w in (4, 64, 256, 2048)] == [1, 8, 32, 64]


def test_wave_distance_by_hand():
    a, b = jnp.array([0.0, 1.0, -1.0]), jnp.array([0.0, 0.5, 0.5])
    assert float(wave_distance(a, b)) == pytest.approx(2 / 3)


def orthogonal_pair(samples: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Zero-mean signals of root mean square 0.1 and no correlation."""
    t = 2 * np.pi * np.arange(samples) / samples
    scale = 0.1 * np.sqrt(2)
    return scale * np.sin(40 * t), scale * np.sin(90 * t)


@pytest.mark.parametrize("decibels", [-20, 0, 10, 30])
def test_si_sdr_of_known_noise(decibels):
    signal, other = orthogonal_pair()
    estimate = signal + 10 ** (-decibels / 20) * other
    assert float(si_sdr(jnp.asarray(estimate), jnp.asarray(signal))) == pytest.approx(
        decibels,
        abs=0.01,  # float32 means of 4000 terms
    )


def test_si_sdr_ignores_scale_and_offset_of_the_estimate():
    signal, other = orthogonal_pair()
    estimate = signal + 0.3 * other
    unscaled = float(si_sdr(jnp.asarray(estimate), jnp.asarray(signal)))
    for gain, offset in [(3.0, 0.0), (-1.0, 0.2)]:
        moved = si_sdr(jnp.asarray(gain * estimate + offset), jnp.asarray(signal))
        assert float(moved) == pytest.approx(unscaled, abs=0.01)


def test_si_sdr_at_the_ends():
    signal, other = (jnp.asarray(x) for x in orthogonal_pair())
    # the floor of -120 dB bounds both: the signal lies at -20 dB
    assert float(si_sdr(signal, signal)) == pytest.approx(100, abs=1)
    assert float(si_sdr(other, signal)) < -60  # float32 leaves a trace of correlation
    assert float(si_sdr(0 * signal, signal)) == 0
    assert np.isfinite(jax.grad(si_sdr)(0 * signal, 0 * signal)).all()

"""The analysis resampler: flat to 7.5 kHz, no aliases, no delay."""

import numpy as np
import pytest

from stemjax.analysis.audio import resample, whole_seconds


def test_audio_is_padded_to_whole_seconds():
    assert len(whole_seconds(np.ones(16_001))) == 32_000
    assert len(whole_seconds(np.ones(16_000))) == 16_000


@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100, 48_000])
def test_another_rate_keeps_what_lies_below_7500_hz_and_nothing_above_8(rate):
    time, wanted_time = np.arange(2 * rate) / rate, np.arange(32_000) / 16_000
    middle = slice(4_000, 28_000)
    for hertz in (50, 440, 3_000, 6_000, 7_500):
        tone = np.sin(2 * np.pi * hertz * time).astype(np.float32)
        resampled = resample(tone, rate, 16_000)
        wanted = np.sin(2 * np.pi * hertz * wanted_time)
        # float32 transforms: 1e-5; a converter that is late or falls misses by far more
        np.testing.assert_allclose(resampled[middle], wanted[middle], atol=1e-5)
    for hertz in (8_100, 8_500, 10_000):
        tone = np.sin(2 * np.pi * hertz * time).astype(np.float32)
        resampled = resample(tone, rate, 16_000)[middle]
        assert 20 * np.log10(np.sqrt(2) * resampled.std()) < -120


def test_another_rate_does_not_wrap_the_ends_around():
    click = np.zeros(44_100, np.float32)
    click[:10] = 1
    resampled = resample(click, 44_100, 16_000)
    assert len(resampled) == 16_000 and np.abs(resampled[8_000:]).max() < 1e-5
    assert len(resample(click[:44_001], 44_100, 16_000)) == 15_964
    assert resample(click, 44_100, 44_100) is click


def sweep(low: float, high: float, rate: int) -> np.ndarray:
    """2 s of a sine of rising frequency, [N] float32."""
    time = np.arange(2 * rate) / rate
    turns = low * time + (high - low) * time**2 / 4
    return np.sin(2 * np.pi * turns).astype(np.float32)


def test_a_sweep_keeps_its_gain_and_phase_to_7500_hz():
    """Of each 10 ms, the part in phase with the same sweep made at 16 kHz."""
    low, high = 50.0, 7600.0
    resampled = resample(sweep(low, high, 32_000), 32_000).reshape(-1, 160)
    wanted = np.float64(sweep(low, high, 16_000)).reshape(-1, 160)
    ends = np.linspace(low, high, len(wanted) + 1)[1:]
    # the first frames see the sweep's sudden start
    is_judged = (ends <= 7500) & (ends > 2 * low)
    gain = (resampled * wanted).sum(1) / (wanted**2).sum(1)
    assert np.abs(20 * np.log10(gain[is_judged])).max() < 0.05


def test_nothing_of_a_sweep_above_the_band_is_left():
    # faded, as a sudden end is a click with all frequencies
    fade = np.hanning(12_800)
    above = sweep(8500, 15_900, 32_000)
    above[:6400] *= fade[:6400]
    above[-6400:] *= fade[-6400:]
    assert np.abs(resample(above, 32_000)).max() < 1e-4  # -80 dB

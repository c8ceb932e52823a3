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

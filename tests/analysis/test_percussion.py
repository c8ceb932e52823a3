"""Percussive onsets: the mask against SciPy, hits at known times, tones alone."""

import jax
import numpy as np
import pytest
from scipy.ndimage import median_filter

from stemjax.analysis import percussion

KICK, SNARE, HAT = range(3)


def _rng(seed):
    return np.random.Generator(np.random.Philox(key=seed))


def _silence(seconds):
    return np.zeros(seconds * percussion.SAMPLE_RATE, np.float32)


def _band_noise(low, high, decay):
    size = 2400
    spectrum = np.fft.rfft(_rng(7).standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / percussion.SAMPLE_RATE)
    noise = np.fft.irfft(spectrum * ((hertz > low) & (hertz < high)), size)
    t = np.arange(size) / percussion.SAMPLE_RATE
    # an abrupt start would be a click in every band
    return noise / np.abs(noise).max() * np.exp(-decay * t) * np.minimum(t / 0.004, 1)


def _thump():
    t = np.arange(3200) / percussion.SAMPLE_RATE
    return np.sin(2 * np.pi * 60 * t) * np.exp(-25 * t)


SOUNDS = {
    KICK: lambda: 0.5 * _thump(),
    SNARE: lambda: 0.3 * _band_noise(1600, 4400, 40),
    HAT: lambda: 0.2 * _band_noise(6200, 7800, 60),
}


def _with_hits(seconds, hits):
    audio = _silence(seconds)
    for time, voice in hits:
        sound = SOUNDS[voice]()
        first = round(time * percussion.SAMPLE_RATE)
        audio[first : first + len(sound)] += sound[: len(audio) - first]
    return audio


def _tones(seconds):
    """A steady chord and bass, faded in and out over half a second."""
    t = np.arange(seconds * percussion.SAMPLE_RATE) / percussion.SAMPLE_RATE
    audio = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (55, 220, 330, 2000, 6500))
    return (audio * np.clip(np.minimum(t, seconds - t) / 0.5, 0, 1)).astype(np.float32)


@jax.jit
def _onsets(audio):
    return percussion.percussive_onsets(percussion.mel_spectrogram(audio))


def _density(audio):
    return int(percussion.percussive_density(_onsets(audio)))


@pytest.mark.parametrize("size", [1, 3, 9, 13, 31])
@pytest.mark.parametrize("axis", [0, 1])
def test_moving_median_is_scipys(size, axis):
    values = _rng(0).standard_normal((40, 33)).astype(np.float32)
    values[5:20, 3:8] = 0.25  # ties
    footprint = (size, 1) if axis == 0 else (1, size)
    expected = median_filter(values, footprint, mode="reflect")
    median = jax.jit(percussion.moving_median, static_argnames=("size", "axis"))
    got = median(values, size=size, axis=axis)
    np.testing.assert_array_equal(got, expected)


def test_an_even_median_is_refused():
    with pytest.raises(ValueError, match="size 4 must be odd"):
        percussion.moving_median(np.zeros((5, 5)), 4, axis=0)


def test_mask_is_that_of_scipys_medians():
    mel = np.abs(_rng(1).standard_normal((200, 64))).astype(np.float32)
    harmonic = median_filter(mel, (31, 1), mode="reflect").astype(np.float64)
    percussive = median_filter(mel, (1, 9), mode="reflect").astype(np.float64)
    expected = percussive**2 / (percussive**2 + harmonic**2)
    got = np.asarray(jax.jit(percussion.percussive_mask)(mel))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_mask_is_one_on_clicks_and_zero_on_steady_tones():
    audio = _silence(4)
    audio[[16_000, 32_000, 48_000]] = 1.0
    mel = percussion.mel_spectrogram(audio)
    clicks = np.asarray(jax.jit(percussion.percussive_mask)(mel))
    assert np.all(clicks[[100, 200, 300]] > 0.999)
    mel = np.asarray(percussion.mel_spectrogram(_tones(4)))
    mask = np.asarray(jax.jit(percussion.percussive_mask)(mel))[100:300]
    loud = mel[100:300] > 0.5 * mel[100:300].max(0).max()
    assert loud.sum() >= 400
    # three tones lie within nine bands of one another: their median is not nought
    assert np.all(mask[loud] < 0.05)


def test_mel_of_a_full_scale_sine_and_against_a_plain_transform():
    t = np.arange(16_000) / 16_000
    audio = np.sin(2 * np.pi * 1000 * t).astype(np.float32)
    mel = np.asarray(percussion.mel_spectrogram(audio))
    assert mel.shape == (100, 64)
    padded = np.pad(audio.astype(np.float64), 512)
    frame = padded[50 * 160 : 50 * 160 + 1024] * np.hanning(1025)[:-1]
    magnitude = np.abs(np.fft.rfft(frame)) * 2 / 512
    assert magnitude.max() == pytest.approx(1.0, abs=1e-6)
    expected = magnitude @ percussion._mel_matrix()
    np.testing.assert_allclose(mel[50], expected, atol=2e-6)


def test_bands_are_where_they_should_be():
    matrix = percussion.band_matrix()
    np.testing.assert_allclose(matrix.sum(0), 1, rtol=1e-6)
    centres = percussion._mel_edges()[1:-1]
    for (low, high), weights in zip(percussion.BANDS, matrix.T, strict=True):
        assert np.all((weights > 0) == ((centres >= low) & (centres <= high)))


@pytest.mark.parametrize("voice", SOUNDS)
def test_every_hit_is_found_once_in_its_own_band(voice):
    times = np.array([0.5, 1.0, 1.2, 2.0, 2.15, 3.3])
    onsets = np.asarray(_onsets(_with_hits(4, [(t, voice) for t in times])))
    found = [np.flatnonzero(band) / percussion.FRAME_RATE for band in onsets.T]
    assert len(found[voice]) == len(times)
    assert np.abs(found[voice] - times).max() <= 0.03
    assert all(len(found[other]) == 0 for other in SOUNDS if other != voice)


def test_density_of_known_hits():
    assert _density(_with_hits(4, [(1.0, KICK)])) == 1
    together = [(1.0, KICK), (1.0, SNARE), (1.0, HAT)]
    assert _density(_with_hits(4, together)) == 3
    # 0.59 s apart count together, 0.61 s apart do not
    assert _density(_with_hits(4, [(1.0, SNARE), (1.59, SNARE)])) == 2
    assert _density(_with_hits(4, [(1.0, SNARE), (1.61, SNARE)])) == 1
    hats = [(1.0 + 0.125 * k, HAT) for k in range(8)]  # five fit in 0.6 s
    assert _density(_with_hits(4, hats)) == 5
    assert _density(_with_hits(4, [*hats, (1.25, KICK), (1.5, SNARE)])) == 7


def test_density_counts_a_half_open_window():
    is_onset = np.zeros((300, 3), bool)
    is_onset[[10, 69, 70], 0] = True
    is_onset[[10, 200], 2] = True
    assert int(percussion.percussive_density(is_onset)) == 3
    assert int(percussion.percussive_density(is_onset[50:])) == 2
    assert int(percussion.percussive_density(np.zeros((300, 3), bool))) == 0


def test_tones_alone_and_silence_have_none():
    assert _density(_silence(4)) == 0
    assert _density(_tones(4)) == 0


def test_level_does_not_matter():
    hits = [(1.0 + 0.2 * k, k % 3) for k in range(12)]
    audio = _with_hits(4, hits)
    expected = np.asarray(_onsets(audio))
    assert expected.sum() == 12
    np.testing.assert_array_equal(_onsets(audio * np.float32(0.3)), expected)


def test_peaks_take_the_first_of_equals():
    values = np.array([0, 1, 3, 3, 1, 0, 0, 2, 0, 0, 4], np.float32)
    got = np.flatnonzero(percussion.is_peak(values, 2))
    assert got.tolist() == [2, 7, 10]

"""VGGish's log-mel patches against a slow twin of the published formulas."""

import librosa
import numpy as np
import pytest

from stemjax.eval.metrics.vggish import features as vggish_input
from stemjax.eval.metrics.vggish.features import (
    GOOGLE,
    GOOGLE_2018,
    GUDGUD,
    PRESETS,
    FadPreset,
)
from stemjax.io.audio import resample
from stemjax.io.errors import UserError

# float32 spectra under a log whose slope is 100 at silence: 1.4e-5 was measured
BAR = 1e-4


def twin_mel_matrix() -> np.ndarray:
    """Row by row: 64 triangles in mel between 125 and 7500 Hz; [257, 64]."""

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    edges = np.linspace(mel(125), mel(7500), 66)
    matrix = np.zeros((257, 64))
    for band in range(64):
        low, centre, high = edges[band : band + 3]
        for row in range(1, 257):
            at = mel(row * 8000 / 256)
            rising = (at - low) / (centre - low)
            falling = (high - at) / (high - centre)
            matrix[row, band] = max(0, min(rising, falling))
    return matrix


def twin_log_mel(audio: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Frame by frame in float64: [N] -> [T, 64]."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    rows = []
    start = 0
    while start + 400 <= len(audio):
        frame = np.zeros(512)
        frame[:400] = audio[start : start + 400].astype(np.float64) * window
        rows.append(np.log(np.abs(np.fft.rfft(frame)) @ matrix + 0.01))
        start += 160
    return np.array(rows)


def music(samples: int, seed: int = 0) -> np.ndarray:
    """Decaying tones over faint noise, and a silent stretch, [N] float32."""
    rng = np.random.Generator(np.random.Philox(seed))
    time = np.arange(samples) / 16_000
    audio = 1e-3 * rng.standard_normal(samples)
    for hertz in (110.0, 440.0, 1234.5, 6900.0):
        audio += 0.2 * np.exp(-2 * (time % 0.7)) * np.sin(2 * np.pi * hertz * time)
    audio[samples // 3 : samples // 3 + 2_000] = 0
    return audio.astype(np.float32)


@pytest.mark.parametrize("samples", [400, 559, 560, 16_000, 23_457])
def test_log_mel_equals_the_twin(samples):
    audio = music(samples)
    expected = twin_log_mel(audio, twin_mel_matrix())
    found = np.asarray(vggish_input.log_mel(audio))
    assert found.shape == expected.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=BAR)


def test_librosa_agrees_once_its_triangles_are_replaced():
    audio = music(16_000)
    framed = np.pad(audio.astype(np.float64), 56)  # librosa centres 400 in 512
    magnitude = np.abs(
        librosa.stft(framed, n_fft=512, win_length=400, hop_length=160, center=False).T
    )
    expected = np.log(magnitude @ vggish_input.mel_matrix() + 0.01)
    found = twin_log_mel(audio, twin_mel_matrix())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    hertz = librosa.filters.mel(
        sr=16_000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None
    ).T.astype(np.float64)
    wrong = np.abs(np.log(magnitude @ hertz + 0.01) - found).max()
    assert wrong > 20 * BAR  # the trap: linear in Hz


def test_the_mel_matrix():
    matrix = vggish_input.mel_matrix()
    np.testing.assert_allclose(matrix, twin_mel_matrix(), rtol=0, atol=1e-13)
    assert not matrix[0].any()
    assert 0.5 < matrix.max() <= 1
    assert not matrix[:5].any()  # 125 Hz is bin 4, the foot of the first triangle
    assert matrix[5].any() and matrix[239].any()
    assert not matrix[240:].any()  # 7500 Hz is bin 240, the foot of the last


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_silence_is_the_logarithm_of_the_offset(preset):
    found = np.asarray(vggish_input.patches(np.zeros(32_000, np.float32), preset))
    np.testing.assert_allclose(found, np.log(0.01), rtol=0, atol=1e-6)


@pytest.mark.parametrize("samples", [15_600, 16_000, 23_999, 24_000, 31_000, 320_000])
def test_the_number_of_patches_is_what_a_walk_counts(samples):
    segments = len(range(0, samples - 16_000 + 1, 8_000))
    if segments:
        assert vggish_input.num_patches(samples, GOOGLE) == segments
    frames = 1 + (samples - 400) // 160
    assert vggish_input.num_patches(samples, GUDGUD) == frames // 96


def test_twenty_seconds_give_39_and_20_patches():
    audio = music(320_000)
    for preset, count in ((GOOGLE, 39), (GOOGLE_2018, 39), (GUDGUD, 20)):
        assert vggish_input.num_patches(320_000, preset) == count
        assert vggish_input.patches(audio, preset).shape == (count, 96, 64)


def test_each_patch_is_that_of_its_own_segment():
    audio = music(40_000)
    audio /= audio.max()
    found = np.asarray(vggish_input.patches(audio, GOOGLE))
    for i, start in enumerate(range(0, 40_000 - 16_000 + 1, 8_000)):
        alone = twin_log_mel(audio[start : start + 16_000], twin_mel_matrix())
        np.testing.assert_allclose(found[i], alone[:96], rtol=0, atol=BAR)
    assert len(found) == 4
    contiguous = np.asarray(vggish_input.patches(audio, GUDGUD))
    whole = twin_log_mel(audio, twin_mel_matrix())
    np.testing.assert_allclose(
        contiguous, whole[:192].reshape(2, 96, 64), rtol=0, atol=BAR
    )


@pytest.mark.parametrize("gain", [1e-4, 0.3, 7.0])
def test_google_sets_the_positive_peak_to_one(gain):
    audio = music(16_000)
    audio[123] = -3.0  # the sign matters: the largest sample, not the largest magnitude
    at_one = audio / audio.max()
    expected = twin_log_mel(at_one, twin_mel_matrix())[:96]
    found = np.asarray(vggish_input.patches(gain * audio, GOOGLE))[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=BAR)


def test_google_divides_by_at_least_a_tenth_of_an_int16_step():
    audio = -np.abs(music(16_000)) * np.float32(1e-4)  # no positive sample at all
    scaled = audio * (32_768 / 0.1)
    expected = twin_log_mel(scaled, twin_mel_matrix())[:96]
    found = np.asarray(vggish_input.patches(audio, GOOGLE))[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=BAR)


def test_gudgud_keeps_the_gain():
    audio = music(16_000)
    expected = twin_log_mel(0.01 * audio, twin_mel_matrix())[:96]
    found = np.asarray(vggish_input.patches(np.float32(0.01) * audio, GUDGUD))[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=BAR)


def test_presets():
    assert list(PRESETS) == ["google", "google2018", "gudgud"]
    assert all(name == preset.name for name, preset in PRESETS.items())
    assert [p.has_relu for p in PRESETS.values()] == [False, True, False]
    assert [p.is_normalised for p in PRESETS.values()] == [True, True, False]


@pytest.mark.parametrize("samples", [0, 399, 15_599])
@pytest.mark.parametrize("preset", [GOOGLE, GUDGUD], ids=lambda p: p.name)
def test_a_clip_too_short_is_refused(samples, preset):
    with pytest.raises(UserError, match=f"too short.*'{preset.name}' needs >= "):
        vggish_input.num_patches(samples, preset)
    with pytest.raises(UserError, match="too short for a patch of VGGish"):
        vggish_input.patches(np.zeros(samples, np.float32), preset)


def test_a_clip_between_the_two_lengths():
    assert vggish_input.num_patches(15_600, GUDGUD) == 1
    with pytest.raises(UserError, match=r"clip of 0.975 s.*needs >= 1 s"):
        vggish_input.num_patches(15_600, GOOGLE)


def test_no_frame_is_refused():
    with pytest.raises(ValueError, match="399 samples must be >= 400"):
        vggish_input.log_mel(np.zeros(399, np.float32))


@pytest.mark.parametrize(
    "fields, message", [({"segment": 15_599}, "segment"), ({"hop": 100}, "hop 100")]
)
def test_windows_that_make_no_sense_are_refused(fields, message):
    windows = {"segment": 16_000, "hop": 8_000} | fields
    with pytest.raises(ValueError, match=message):
        FadPreset(name="x", is_normalised=False, has_relu=False, **windows)


def test_the_resampler_keeps_what_vggish_hears():
    """0.05 dB to 7.4 kHz, where the last triangle ends at 7.5; no alias over -80 dB."""
    time = np.arange(32_000) / 32_000

    def level(hertz):
        tone = np.sqrt(2) * np.sin(2 * np.pi * hertz * time)
        heard = resample(tone.astype(np.float32), 32_000, 16_000)[2_000:-2_000]
        return 10 * np.log10(np.mean(heard**2))

    for hertz in (125, 1_000, 4_000, 6_000, 7_000, 7_400):
        assert abs(level(hertz)) < 0.05, hertz
    for hertz in (8_500, 9_000, 12_000, 15_500):
        assert level(hertz) < -80, hertz

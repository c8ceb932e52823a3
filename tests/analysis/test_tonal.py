"""Semitones and chroma: sines of known pitch, a NumPy twin, and what is not tonal."""

import jax
import librosa
import numpy as np
import pytest

from stemjax.analysis import tonal

RATE = tonal.SAMPLE_RATE
NOTE = RATE // 2


def sines(midis, amplitude=0.2, length=NOTE):
    """One sine per pitch, `length` samples each, with ramps of 8 ms: [N] float32."""
    t = np.arange(length) / RATE
    ramp = np.minimum(1, np.minimum(t, t[::-1]) / 0.008)
    hertz = 440 * 2 ** ((np.asarray(midis, np.float64) - 69) / 12)
    waves = amplitude * ramp * np.sin(2 * np.pi * hertz[:, None] * t)
    return waves.reshape(-1).astype(np.float32)


def noise(size, seed=0):
    rng = np.random.Generator(np.random.Philox(key=seed))
    return 0.1 * rng.standard_normal(size).astype(np.float32)


def analyse(audio):
    """One clip through the batch function."""
    return jax.tree.map(
        lambda x: np.asarray(x[0]), tonal.analyse_tonal_batch(audio[None])
    )


@pytest.mark.parametrize("cents", [-30, 0, 30])
def test_a_sine_lights_its_semitone_and_pitch_class(cents):
    # Below E1 a semitone is narrower than two FFT bins.
    pitches = np.arange(28, 108).reshape(2, 40)
    audio = np.stack([sines(row + cents / 100) for row in pitches])
    found = tonal.analyse_tonal_batch(audio)
    centres = np.arange(40) * 10 + 5  # frames in the middle of the notes
    for salience in (found.semitones, found.harmonic):
        strongest = np.argmax(salience[:, centres], -1) + tonal.LOWEST_MIDI
        np.testing.assert_array_equal(strongest, pitches)
    in_chroma = pitches < tonal.LOWEST_MIDI + tonal.CHROMA_SEMITONES
    classes = np.argmax(found.chroma[:, centres], -1)
    np.testing.assert_array_equal(classes[in_chroma], pitches[in_chroma] % 12)
    assert np.all(found.is_tonal)


def twin(audio):
    """Semitones, fundamentals and chroma by loops, float64, from librosa's STFT."""
    spectrum = np.abs(
        librosa.stft(audio.astype(np.float64), n_fft=8192, hop_length=800)
    )
    spectrum = spectrum[:, : len(audio) // 800] / 2048  # half the window's sum
    kernel = tonal._kernel_matrix().astype(np.float64)
    bins = kernel @ spectrum[: kernel.shape[1]]
    bins = np.log1p(100 * bins / np.percentile(bins, 99.5))
    white = np.zeros_like(bins)
    for b in range(252):
        white[b] = np.maximum(0, bins[b] - bins[max(0, b - 12) : b + 13].mean(0))
    shift = np.argmax([white[j::3].sum() for j in range(3)]) - 1
    semitones = np.zeros((84, bins.shape[1]))
    for s in range(84):
        for b in range(3 * s + shift, 3 * s + shift + 3):
            if 0 <= b < 252:
                semitones[s] = np.maximum(semitones[s], white[b])
    harmonic, chroma = semitones.copy(), np.zeros((12, bins.shape[1]))
    for s in range(84):
        for steps, share in zip(
            (12, 19, 24, 28, 31), (0.5, 0.45, 0.35, 0.3, 0.25), strict=True
        ):
            if s >= steps:
                harmonic[s] -= share * semitones[s - steps]
        harmonic[s] = np.maximum(harmonic[s], 0)
        if s < 72:
            chroma[s % 12] += harmonic[s]
    return semitones.T, harmonic.T, chroma.T


@pytest.mark.parametrize("cents", [-30, 0, 30])
def test_equals_a_twin_of_loops(cents):
    audio = sines(np.array([45, 52, 61, 69]) + cents / 100)
    audio += 0.3 * sines(np.array([57, 71, 80, 93]) + cents / 100) + 0.1 * noise(
        len(audio)
    )
    found = analyse(audio)
    # float32 through an FFT of 8192 and a logarithm, values up to 5
    for value, expected in zip(found[:3], twin(audio), strict=True):
        assert value.shape == expected.shape
        np.testing.assert_allclose(value, expected, atol=1e-4)


def test_frame_t_is_centred_at_t_twentieths_of_a_second():
    audio = np.zeros(2 * RATE, np.float32)
    start = RATE - 1600
    audio[start : start + 3200] = sines([69], length=3200)  # 0.9 to 1.1 s
    found = analyse(audio)
    assert found.chroma.shape == (40, 12)
    salience = found.semitones[:, 69 - tonal.LOWEST_MIDI]
    np.testing.assert_allclose(salience[20 - 5 : 20], salience[25:20:-1], atol=1e-3)
    assert np.all(np.diff(salience[14:21]) > 0)


def test_overtones_are_not_taken_for_notes():
    """A bright tone lights its overtones' semitones, far less as fundamentals."""
    audio = sum(sines([45 + 12 * np.log2(k)] * 4, 0.1 / k) for k in range(1, 7))
    found = analyse(audio)
    overtones = np.array([12, 19, 24, 28, 31]) + 45 - tonal.LOWEST_MIDI
    lit, left = (
        found.semitones[:, overtones].sum(0),
        found.harmonic[:, overtones].sum(0),
    )
    assert np.all(lit > 1)
    assert np.all(left < 0.5 * lit)
    assert np.all(found.chroma.argmax(-1) == 9)


def test_loudness_is_not_in_the_chroma():
    audio = sines([57, 61, 64, 69])
    loud, soft = analyse(audio), analyse(0.05 * audio)
    np.testing.assert_allclose(loud.chroma, soft.chroma, atol=1e-4)


def test_a_sine_in_the_middle_of_a_bin_has_its_amplitude():
    """The gate is in dB re full scale: 49 dB below is heard, 51 dB is not."""
    for db, expected in ((-49, True), (-51, False)):
        assert analyse(sines([69], 10 ** (db / 20), 2 * RATE)).is_tonal == expected


def test_noise_and_silence_are_not_tonal():
    size = 2 * RATE
    tone = sines([69], 0.2, size)
    second = np.concatenate([tone[:RATE], np.zeros(RATE, np.float32)])
    rolled = librosa.resample(noise(2 * size), orig_sr=32_000, target_sr=RATE)
    clips = [
        (np.zeros(size, np.float32), False),
        (noise(size), False),
        (rolled.astype(np.float32), False),
        (1e-3 * noise(size), False),
        (tone, True),
        (second, True),
        (tone + 0.2 * noise(size), True),
    ]
    found = tonal.analyse_tonal_batch(np.stack([audio for audio, _ in clips]))
    np.testing.assert_array_equal(found.is_tonal, [expected for _, expected in clips])
    assert all(np.isfinite(x).all() for x in found)
    assert not np.any(found.chroma[0])


def test_a_batch_equals_its_clips():
    clips = np.stack(
        [sines([48, 55, 64, 72]), noise(2 * RATE), sines([40, 41, 90, 51])]
    )
    batch = tonal.analyse_tonal_batch(clips)
    with jax.default_matmul_precision("highest"):
        single = [jax.jit(tonal.analyse_tonal)(clip) for clip in clips]
    for i, expected in enumerate(single):
        for value, one in zip(batch, expected, strict=True):
            np.testing.assert_allclose(value[i], one, atol=1e-5)

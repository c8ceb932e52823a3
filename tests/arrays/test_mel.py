"""Spectra and mel filters against librosa, known tones, and gradients."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from stemjax.arrays import mel
from stemjax.config.codec import CodecObjective

RATE = 32_000
OBJECTIVE = CodecObjective()


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=samples).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("samples", "window", "hop"), [(3200, 64, 16), (3201, 256, 64), (5000, 512, 256)]
)
def test_magnitudes_are_librosas(samples, window, hop):
    """Both sides of MATMUL_LIMIT, lengths on and off the hop."""
    x = noise(samples)
    ours = mel.stft_magnitude(jnp.asarray(x), window, hop)
    peer = librosa.stft(x, n_fft=window, hop_length=hop, window="hann", center=True)
    assert ours.shape == (1 + samples // hop, window // 2 + 1)
    # float32 sums of `window` terms of size 1: about 1e-6 of the largest, sqrt(window)
    np.testing.assert_allclose(ours, np.abs(peer).T, atol=2e-6 * window)


def test_the_product_and_the_fft_agree(monkeypatch):
    x = jnp.asarray(noise(4096))
    monkeypatch.setattr(mel, "MATMUL_LIMIT", 0)
    fast = mel.stft_magnitude(x, 256, 64)
    monkeypatch.setattr(mel, "MATMUL_LIMIT", 256)
    # two float32 roundings of sums of 256 terms
    np.testing.assert_allclose(fast, mel.stft_magnitude(x, 256, 64), atol=3e-4)


@pytest.mark.parametrize("window", OBJECTIVE.mel_windows)
def test_filters_are_librosas_and_none_is_empty(window):
    bins = min(OBJECTIVE.mel_bins, window // 8)
    ours = mel.mel_matrix(RATE, window, bins)
    peer = librosa.filters.mel(sr=RATE, n_fft=window, n_mels=bins, htk=True, norm=1)
    np.testing.assert_allclose(ours, peer.T, atol=1e-6)  # librosa rounds to float32
    np.testing.assert_allclose(ours.sum(axis=0), 1, atol=1e-6)


def test_a_tone_lights_its_band():
    window, bins = 2048, 64
    hertz = 3000.0
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    spectrum = mel.log_mel(
        jnp.asarray(tone),
        sample_rate=RATE,
        window=window,
        hop=512,
        bins=bins,
        floor=1e-5,
    )
    edges = librosa.mel_frequencies(n_mels=bins + 2, fmax=RATE / 2, htk=True)
    expected = np.argmin(np.abs(edges[1:-1] - hertz))
    assert (np.argmax(spectrum[4:-4], axis=1) == expected).all()
    # a tone's energy lies within the window's main lobe; a mel band far away is 60 dB
    # below, Hann's side lobes falling by 18 dB an octave
    assert (spectrum[4:-4, expected] - spectrum[4:-4, 5] > 3).all()


@pytest.mark.parametrize("window", [64, 512, 2048])
def test_white_noise_has_its_deviation_as_level_at_every_window(window):
    loud = mel.mel_magnitude(
        jnp.asarray(0.1 * noise(RATE)),
        sample_rate=RATE,
        window=window,
        hop=window // 4,
        bins=8,
    )
    # |DFT| of Gaussian noise is Rayleigh: mean sqrt(pi) / 2 of the root mean square;
    # 1 s holds >= 60 independent frames of >= 4 bins per band: 5 %
    np.testing.assert_allclose(loud[2:-2].mean(), 0.1 * np.sqrt(np.pi) / 2, rtol=0.05)


def test_silence_is_the_floor_and_its_gradient_is_zero():
    def total(x):
        options = {
            "sample_rate": RATE,
            "window": 64,
            "hop": 16,
            "bins": 8,
            "floor": 1e-5,
        }
        return mel.log_mel(x, **options).mean()

    value, gradient = jax.jit(jax.value_and_grad(total))(jnp.zeros(640))
    assert float(value) == pytest.approx(-5)
    np.testing.assert_array_equal(gradient, 0)


def test_a_hop_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="window 100 must be even and a multiple"):
        mel.centred_frames(jnp.zeros(1000), 100, 30)


def test_pictures_get_power():
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    power = mel.mel_power(tone, sample_rate=RATE)
    assert power.shape == (1 + RATE // 512, 128)
    assert isinstance(power, np.ndarray) and (power >= 0).all()
    quiet = mel.mel_power(0.1 * tone, sample_rate=RATE)
    # a tenth of the amplitude is a hundredth of the power
    np.testing.assert_allclose(power.max() / quiet.max(), 100, rtol=1e-3)


@pytest.mark.parametrize("samples", [100, 4096, 8192, 20_000, 20_480])
def test_a_long_picture_in_pieces_is_that_of_the_whole(samples, monkeypatch):
    audio = np.random.default_rng(0).normal(size=samples).astype(np.float32)
    whole = mel.mel_power(audio, sample_rate=RATE)
    assert whole.shape == (1 + samples // 512, 128)
    monkeypatch.setattr(mel, "PIECE", 4096)
    pieces = mel.mel_power(audio, sample_rate=RATE)
    # products of other shapes round otherwise
    np.testing.assert_allclose(pieces, whole, rtol=1e-5, atol=1e-9)

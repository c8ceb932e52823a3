"""Oscillators, filtered noise and the oscillator codec."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stemjax.codec
from stemjax.arrays.bands import log_filters
from stemjax.codec import functional, long_frames
from stemjax.codec.oscillators import (
    PHASES,
    frequencies,
    noise,
    overlap_add,
    step_rate,
    tones,
)
from stemjax.codec.spectral_encoder import CENTRE, FLOOR, SPREAD, band_spectrum
from stemjax.config.codec import Band, OscillatorCodecConfig

FULL = OscillatorCodecConfig()
SMALL = OscillatorCodecConfig(
    bands=(
        Band(window=2_560, low=60.0, high=2_000.0, bands=40),
        Band(window=640, low=200.0, high=8_000.0, bands=10, rate=4),
    ),
    width=16,
    encoder_dilations=(1, 2),
    hidden_size=8,
    num_codebooks=2,
    codebook_size=64,
    decoder_dilations=(1, 2),
    step_width=8,
    step_dilations=(1,),
    noise_bands=8,
)
WITH_LEVEL = dataclasses.replace(
    SMALL, level_units=20.0, level_window=2_560, level_priority=(1.0, 4.0)
)


exact_encode = jax.jit(functional.encode, static_argnums=1)
exact_decode = jax.jit(functional.decode, static_argnums=1)


def assert_close(got, wanted):
    """To float32's last digits of the loudest sample."""
    np.testing.assert_allclose(got, wanted, atol=2e-5 * np.abs(wanted).max())


@pytest.fixture(scope="module", params=[SMALL, WITH_LEVEL], ids=["spectra", "level"])
def small(request):
    """A random codec whose spectra hold the level, and one with a separate level."""
    return stemjax.codec.random(request.param, 0)


def chord(seconds: float, gain: float = 0.1) -> np.ndarray:
    """A held chord of harmonic tones, quarter tones off the oscillators too: [1, N]."""
    time = np.arange(round(seconds * 32_000)) / 32_000
    partials = [f * h for f in (110.0, 138.6, 171.3) for h in range(1, 20)]
    signal = sum(np.sin(2 * np.pi * f * time + f) / (1 + f / 200) for f in partials)
    return np.float32(gain * signal)[None]


def test_oscillators_are_quarter_tones_of_a_440():
    hertz = frequencies(FULL)
    assert 440.0 in hertz and hertz[0] == 27.5 and hertz[-1] <= 14_000
    cents = 1_200 * np.log2(hertz / 440)
    # the clock's grid is 0.05 Hz: 1.6 cents at the lowest
    assert np.abs(cents - 50 * np.round(cents / 50)).max() < 1.7
    np.testing.assert_allclose(np.diff(cents), 50, atol=3.2)


@pytest.mark.parametrize("index", [0, 40, 96, 190])
@pytest.mark.parametrize("start", [0, PHASES - 40])
def test_a_constant_amplitude_is_one_pure_tone(index, start):
    """Also where the clock turns over, and without drift: closed form in float64."""
    steps, hertz = 80, frequencies(FULL)
    cosine = np.zeros((1, steps, len(hertz)), np.float32)
    sine = cosine.copy()
    cosine[..., index], sine[..., index] = 0.3, 0.4
    got = np.asarray(overlap_add(tones(FULL, cosine, sine, np.int32(start))))[0]
    assert got.shape == (steps * 160,)
    time = (np.arange(steps * 160) + start * 160 - 80) / 32_000
    angle = 2 * np.pi * hertz[index] * time
    wanted = 0.3 * np.cos(angle) + 0.4 * np.sin(angle)
    inside = slice(160, -160)  # the ends fade
    np.testing.assert_allclose(got[inside], wanted[inside], atol=2e-4)


def test_overlap_add_is_the_slow_sum():
    windows = np.random.default_rng(0).normal(size=(2, 5, 8))
    wanted = np.zeros((2, 5 * 4 + 4))
    for s in range(5):
        wanted[:, 4 * s : 4 * s + 8] += windows[:, s]
    # the first window is centred on sample 2, half of a step
    np.testing.assert_allclose(overlap_add(windows), wanted[:, 2:22], rtol=1e-6)


def test_noise_has_the_gain_as_its_deviation_and_only_its_bands():
    gains = np.zeros((1, 2_000, FULL.noise_bands), np.float32)
    white = np.asarray(overlap_add(noise(FULL, gains + 0.1, 0)))[0]
    # 320,000 samples, each pair of windows half correlated
    np.testing.assert_allclose(white[320:-320].std(), 0.1, rtol=0.03)
    gains[..., 30] = 1.0
    spectrum = np.abs(np.fft.rfft(np.asarray(overlap_add(noise(FULL, gains, 0)))[0]))
    hertz = np.arange(len(spectrum)) * 16_000 / (len(spectrum) - 1)
    scale = np.log1p(16_000 / 700) / 47
    low, high = (700 * np.expm1(scale * (30 + d)) for d in (-1.3, 1.3))
    inside = (hertz > low) & (hertz < high)
    assert np.sum(spectrum[inside] ** 2) > 0.97 * np.sum(spectrum**2)
    assert not np.any(noise(FULL, 0 * gains, 0))


@pytest.mark.slow
def test_noise_is_the_same_for_the_same_step():
    gains = np.full((1, 30, FULL.noise_bands), 0.1, np.float32)
    whole = noise(FULL, gains, 0)
    # sums of products of other shapes: float32's last digits
    np.testing.assert_allclose(noise(FULL, gains[:, :10], 20), whole[:, 20:], atol=1e-6)
    np.testing.assert_allclose(noise(FULL, gains, PHASES), whole, atol=1e-6)
    assert np.abs(noise(FULL, gains, 1) - whole).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("band", FULL.bands, ids=lambda band: str(band.window))
def test_spectrum_is_that_of_a_window_around_the_frames_middle(band):
    """Slow twin: frame t's r-th spectrum, cut out and transformed by NumPy."""
    rng = np.random.default_rng(1)
    audio = np.float32(0.1 * rng.normal(size=(1, 20 * 640)))
    got = np.asarray(band_spectrum(audio, 640, 32_000, band))
    assert got.shape == (1, 20, band.rate * band.bands)
    step = 640 // band.rate
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(band.window) / band.window)
    padded = np.pad(audio[0].astype(np.float64), 10_000)
    for frame, r in [(0, 0), (7, band.rate - 1), (19, 0)]:
        middle = 10_000 + frame * 640 + r * step + step // 2
        start = middle - band.window // 2
        window = padded[start : start + band.window]
        magnitude = np.abs(np.fft.rfft(window * hann)) / np.sqrt(np.sum(hann**2))
        level = np.log10(np.maximum(magnitude @ log_filters(32_000, band), FLOOR))
        wanted = (level - CENTRE) / SPREAD
        part = got[0, frame, r * band.bands : (r + 1) * band.bands]
        np.testing.assert_allclose(part, wanted, atol=2e-4)


@pytest.mark.slow
def test_codes_of_a_held_chord_do_not_follow_its_phase(small):
    """A shift of 2 ms: half of SEANet's codes and more are others."""
    audio = chord(2.0)
    same = []
    for codec in (small, stemjax.codec.random(seanet(), 0)):
        first, second = (
            np.asarray(codec.encode(audio[:, shift : shift + 48_000]))
            for shift in (0, 64)
        )
        inside = slice(8, -8)
        same.append(np.mean(first[:, 0, inside] == second[:, 0, inside]))
    assert same[0] > 0.9 and same[1] < 0.5


def seanet():
    from stemjax.config.presets import CODEC_TINY

    return CODEC_TINY.model


@pytest.mark.slow
def test_long_audio_gives_the_codes_and_the_audio_of_the_whole(small, monkeypatch):
    audio = np.concatenate([chord(2.3), chord(1.97, 0.02)[:, :63_041]], axis=1)
    exact = exact_encode(
        small.variables,
        small.config,
        jnp.pad(audio, ((0, 0), (0, -audio.shape[1] % 640))),
    )
    monkeypatch.setattr(long_frames, "FRAMES", 50)  # chunks of a second
    codes = small.encode(audio)
    assert codes.shape == (1, 2, 214)
    np.testing.assert_array_equal(codes, exact)
    out = small.decode(codes)
    whole = exact_decode(small.variables, small.config, codes)
    assert out.shape == (1, 214 * 640) and np.std(whole) > 1e-4
    assert_close(out, whole)


def test_padding_changes_neither_codes_nor_audio(small):
    audio = chord(0.93)
    codes = small.encode(audio)  # padded to a second
    padded = np.pad(audio, ((0, 0), (0, -audio.shape[1] % 640)))
    np.testing.assert_array_equal(
        codes, exact_encode(small.variables, small.config, padded)
    )
    assert_close(
        small.decode(codes), exact_decode(small.variables, small.config, codes)
    )


def test_halos_are_as_wide_as_the_network_sees(small):
    """Measured by silencing single frames, and by the gradient of one frame."""
    frames, middle = 40, 20
    params = small.variables["params"]
    audio = np.float32(0.1 * np.random.default_rng(0).normal(size=(1, frames * 640)))
    # one row per silenced frame
    silenced = np.repeat(audio, frames, axis=0).reshape(frames, frames, 640)
    silenced[np.arange(frames), np.arange(frames)] = 0
    rows = np.concatenate([audio, silenced.reshape(frames, -1)])
    latents = jax.jit(functional.encode_latents, static_argnums=1)(
        params, small.config, rows
    )
    moved = np.abs(latents[1:, middle] - latents[0, middle]).max(axis=-1) > 1e-5
    assert 4 < reach(moved, middle) <= long_frames.encoder_halo(small.config)

    def of_latents(latents):
        out = functional.decode_latents(params, small.config, latents)
        return jnp.sum(out[0, middle * 640 : (middle + 1) * 640] ** 2)

    latents = jnp.float32(np.random.default_rng(1).normal(size=(1, frames, 8)))
    gradient = jax.jit(jax.grad(of_latents))(latents)
    moved = np.abs(gradient[0]).max(axis=-1) > 0
    assert 3 < reach(moved, middle) <= long_frames.decoder_halo(small.config)


def reach(moved: np.ndarray, middle: int) -> int:
    seen = np.flatnonzero(moved)
    return int(max(middle - seen[0], seen[-1] - middle))


def test_a_saved_codec_is_the_same(small, tmp_path):
    small.save(tmp_path / "codec")
    loaded = stemjax.codec.load(tmp_path / "codec")
    assert loaded.config == small.config and loaded.sha256 == small.sha256
    audio = chord(0.5)
    np.testing.assert_array_equal(loaded.encode(audio), small.encode(audio))


def test_step_rate_is_that_of_the_synthesis():
    assert step_rate(FULL) == 200
    assert step_rate(dataclasses.replace(FULL, steps_per_frame=2)) == 100

"""The level of a frame: measured, coded separately, and restored by the decoder."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stemjax.codec
from stemjax.arrays import vq
from stemjax.codec import functional, level
from stemjax.config.codec import Band, OscillatorCodecConfig

SMALL = OscillatorCodecConfig(
    bands=(Band(window=2_560, low=60.0, high=8_000.0, bands=40),),
    width=16,
    encoder_dilations=(1,),
    hidden_size=8,
    num_codebooks=2,
    codebook_size=64,
    decoder_dilations=(1,),
    step_width=8,
    step_dilations=(1,),
    noise_bands=8,
    level_units=20.0,
    level_window=2_560,
    level_priority=(1.0, 4.0),
)
FULL = dataclasses.replace(SMALL, level_window=7_680)

encode = jax.jit(functional.encode, static_argnums=1)
encode_latents = jax.jit(functional.encode_latents, static_argnums=1)
decode_latents = jax.jit(functional.decode_latents, static_argnums=1)


@pytest.fixture(scope="module")
def small():
    return stemjax.codec.random(SMALL, 0)


def hits(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """Decaying noise every half second, and a tone: [1, N]."""
    time = np.arange(round(seconds * 32_000)) / 32_000
    noise = np.random.default_rng(seed).normal(size=len(time))
    fading = 0.3 * noise * np.exp(-12 * (time % 0.5))
    return np.float32(fading + 0.05 * np.sin(2 * np.pi * 220 * time))[None]


def loudness(audio) -> float:
    """K-weighted root mean square of [1, N] in dB, over the whole signal."""
    return float(10 * np.log10(np.mean(level.frame_power(audio, SMALL))))


@pytest.mark.parametrize("hertz", [40, 100, 440, 2_000, 10_000])
def test_level_of_a_tone_is_its_loudness(hertz):
    """pyloudnorm's filters are digital, ours analog; its constant is -0.691 dB."""
    pyloudnorm = pytest.importorskip("pyloudnorm")
    time = np.arange(32_000) / 32_000
    tone = np.float32(0.1 * np.sin(2 * np.pi * hertz * time))
    wanted = pyloudnorm.Meter(32_000).integrated_loudness(tone.astype(np.float64))
    got = 20 * level.frame_level(tone[None], FULL)[0, 8:-8]
    np.testing.assert_allclose(got, wanted + 0.691, atol=0.05)


def test_power_is_that_of_a_window_around_the_frames_middle():
    """Slow version: the sum over the two-sided spectrum in float64."""
    audio, size = hits(0.5), SMALL.level_window
    got = np.asarray(level.frame_power(audio, SMALL))
    assert got.shape == (1, 25)
    padded = np.pad(audio[0].astype(np.float64), 5_000)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    curve = level.k_weights(32_000, size)
    for frame in (0, 9, 24):
        start = 5_000 + frame * 640 + 320 - size // 2
        spectrum = np.abs(np.fft.fft(padded[start : start + size] * hann)) ** 2
        both = np.concatenate([curve, curve[-2:0:-1]])
        wanted = np.sum(spectrum * both) / size / np.sum(hann**2)
        # `frame_power` counts the highest bin twice; it holds almost no power
        np.testing.assert_allclose(got[0, frame], wanted, rtol=1e-3)


def test_silence_has_the_floors_level_and_its_channel_is_inverted():
    got = level.frame_level(jnp.zeros((1, 6_400)), SMALL)
    np.testing.assert_allclose(got, -4.0, atol=1e-6)
    channel = level.to_channel(got, SMALL)
    np.testing.assert_allclose(channel, np.full((1, 10, 1), -40.0), atol=1e-4)
    np.testing.assert_allclose(level.from_channel(channel, SMALL), got, atol=1e-6)


def test_values_between_frames_are_interpolated_linearly():
    got = np.asarray(level.interpolate_frames(jnp.float32([[1.0, 3.0]]), 4))[0]
    np.testing.assert_allclose(got, [1, 1, 1.25, 1.75, 2.25, 2.75, 3, 3])


def test_audio_is_scaled_to_the_level_of_other_audio():
    """The scaled audio has twice the amplitude and another noise."""
    wanted = level.frame_level(hits(), SMALL)
    got = level.set_level(2 * hits(seed=1), wanted, SMALL)
    error = 20 * (level.frame_level(got, SMALL) - wanted)
    assert np.abs(error).max() < 1.0
    power = 10 * np.log10(np.mean(got**2) / np.mean(hits() ** 2))
    assert abs(power) < 0.3


def test_audio_is_scaled_to_the_level_of_silence():
    wanted = level.frame_level(jnp.zeros((1, 32_000)), SMALL)
    got = level.set_level(0.01 * hits(1.0), wanted, SMALL)
    assert np.sqrt(np.mean(got**2)) < 2e-5  # -94 dB


@pytest.mark.parametrize("gain_db", [-34.0, -20.0, 0.0])
def test_random_weights_keep_the_level(small, gain_db):
    """From -6 dB to -40 dB of full scale only the level's channel changes."""
    params, loud = small.variables["params"], hits() / np.std(hits()) / 2
    soft = loud * np.float32(10 ** (gain_db / 20))
    latents = encode_latents(params, SMALL, np.concatenate([loud, soft]))
    moved = np.asarray(latents[1] - latents[0])
    np.testing.assert_allclose(moved[:, 0], gain_db, atol=0.05)  # one unit is 1 dB
    assert np.abs(moved[:, 1:]).max() < 0.02
    out = decode_latents(params, SMALL, latents[1:])
    assert abs(loudness(out) - loudness(soft)) < 0.7


def test_codes_hold_the_level(small):
    """Codebooks fitted to a sound at 18 levels; another sound at levels between them."""
    gains = np.float32(10 ** (np.arange(-40, -5, 2)[:, None] / 20))
    latents = encode_latents(small.variables["params"], SMALL, gains * hits())
    books = vq.residual_kmeans(
        jax.random.key(0),
        latents.reshape(-1, SMALL.hidden_size),
        num_levels=2,
        num_codes=64,
        iterations=5,
        scales=functional.distance_scales(SMALL),
    )
    codebooks = functional.codebook_tree(books, is_inited=True)
    audio = np.float32([[0.5], [0.07], [0.02]]) * hits(seed=1)
    codes = encode(small.variables | {"codebooks": codebooks}, SMALL, audio)
    quantized = functional.dequantize(codebooks, codes)
    error = 20 * (
        level.from_channel(quantized[..., :1], SMALL) - level.frame_level(audio, SMALL)
    )  # dB
    assert np.median(np.abs(error)) < 0.5 and np.quantile(np.abs(error), 0.95) < 1.5


@pytest.mark.parametrize(
    "given, number, factors",
    [
        ((1.0, 4.0), 2, (1.0, 4.0)),
        ((0.5, 1.0, 4.0), 2, (1.0, 4.0)),
        ((0.5, 4.0), 4, (0.5, 0.5, 0.5, 4.0)),
        ((), 3, (1.0, 1.0, 1.0)),
    ],
)
def test_priorities_belong_to_the_last_codebooks(given, number, factors):
    cfg = dataclasses.replace(SMALL, num_codebooks=number, level_priority=given)
    scales = functional.distance_scales(cfg)
    assert scales.shape == (number, 8)
    np.testing.assert_array_equal(scales[:, 0], factors)
    np.testing.assert_array_equal(scales[:, 1:], 1)


def test_without_a_separate_level_distances_have_no_scales():
    assert functional.distance_scales(dataclasses.replace(SMALL, level_units=0)) is None


def test_only_a_separate_level_changes_the_shapes():
    old = dataclasses.replace(SMALL, level_units=0.0)
    shapes = [
        jax.eval_shape(lambda key, c=c: functional.init(key, c)[0], jax.random.key(0))
        for c in (old, SMALL)
    ]
    sizes = [
        (
            p["encoder"]["leave"]["conv"]["weight"].shape[0],
            p["decoder"]["enter"]["conv"]["weight"].shape[1],
        )
        for p in shapes
    ]
    assert sizes == [(8, 8), (7, 7)]

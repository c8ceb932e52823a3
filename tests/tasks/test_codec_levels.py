"""Training crops at random levels, synthetic tones, and the level error of validation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.arrays.losses import level_difference
from stemjax.config.codec import CodecConfig, CodecObjective
from stemjax.config.runs import CodecRun
from stemjax.tasks import codec as codec_task
from stemjax.tasks.codec_crops import training_crops
from stemjax.tasks.synthetic_tones import synthetic_tones

RUN = CodecRun(
    steps=1,
    batch_size=8,
    model=CodecConfig(
        num_filters=4,
        upsampling_ratios=(20,),
        num_lstm_layers=0,
        hidden_size=8,
        num_codebooks=2,
        codebook_size=32,
    ),
    objective=CodecObjective(crop_levels=(-40.0, -6.0), synthetic_share=0.25),
)


def noise(rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.int16(3_000 * rng.normal(size=(rows, 3_200)))


def decibels(audio) -> np.ndarray:
    return 10 * np.log10(np.mean(np.square(audio), axis=-1))


def test_a_level_difference_is_that_of_root_mean_squares():
    a = jnp.float32(np.random.default_rng(0).normal(size=1_000))
    assert float(level_difference(a / 10, a)) == pytest.approx(-20, abs=1e-3)
    silent = jnp.zeros(1_000)
    assert float(level_difference(silent, silent)) == 0
    assert float(level_difference(silent, 0.1 * silent + 1e-3)) < -35


def test_crops_get_random_levels_of_the_range():
    batch = {"audio": noise(64)}
    audio = training_crops(RUN, batch, jax.random.key(0))
    level = decibels(audio)
    assert audio.shape == (64, 3_200)
    assert -40 <= level.min() < -36 and -10 < level.max() <= -6
    assert abs(level.mean() + 23) < 4  # of 64 uniform draws; deviation 1.2
    other = training_crops(RUN, batch, jax.random.key(1))
    assert np.abs(decibels(other) - level).max() > 5


def test_near_silence_stays_soft():
    soft = np.round(noise(8) / 3_000).astype(np.int16)  # -90 dB
    audio = training_crops(
        dataclasses.replace(RUN, objective=CodecObjective(crop_levels=(-6.0, -6.0))),
        {"audio": soft},
        jax.random.key(0),
    )
    assert decibels(audio).max() < -30


def test_without_levels_crops_are_unchanged():
    run = dataclasses.replace(RUN, objective=CodecObjective())
    batch = {"audio": noise(4)}
    audio = training_crops(run, batch, jax.random.key(0))
    np.testing.assert_array_equal(audio, batch["audio"] / np.float32(32_768))


def test_a_share_of_the_crops_is_replaced_by_tones():
    """Tones replace the first crops of the batch and are appended to the others."""
    run = dataclasses.replace(RUN, objective=CodecObjective(synthetic_share=0.25))
    batch = {"audio": noise(8)}
    audio = training_crops(run, batch, jax.random.key(0))
    np.testing.assert_array_equal(audio[:6], batch["audio"][2:] / np.float32(32_768))
    assert flatness(audio[6:]).max() < 0.2 < 0.5 < flatness(audio[:6]).min()


def flatness(audio) -> np.ndarray:
    """Geometric over arithmetic mean of the power spectrum: 0.56 for noise."""
    window = np.hanning(audio.shape[-1])
    power = np.abs(np.fft.rfft(np.asarray(audio) * window)) ** 2 + 1e-12
    return np.exp(np.mean(np.log(power), axis=-1)) / np.mean(power, axis=-1)


def test_synthetic_tones_are_few_partials_of_one_level():
    audio = np.asarray(synthetic_tones(jax.random.key(3), 32, 16_000, 32_000))
    assert audio.shape == (32, 16_000) and np.isfinite(audio).all()
    np.testing.assert_allclose(decibels(audio), -20, atol=0.01)
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(16_000))) ** 2
    strongest = np.sort(spectrum, axis=1)[:, ::-1]
    # most of the power lies in a few dozen of 8,001 bins
    share = strongest[:, :100].sum(axis=1) / strongest.sum(axis=1)
    assert np.median(share) > 0.95
    again = synthetic_tones(jax.random.key(3), 32, 16_000, 32_000)
    np.testing.assert_array_equal(again, audio)


def test_validation_reports_the_level_error_over_the_range(monkeypatch):
    """A codec that halves its input has an error of 6 dB at every level."""

    def halve(run, params, state, audio):
        return audio / 2, jnp.zeros((2, 8 * 160), int), jnp.zeros((8, 160, 8))

    monkeypatch.setattr(codec_task, "_encode_and_decode", halve)
    batch = {"audio": noise(8), "is_valid": np.ones(8, bool)}
    sums = codec_task.make(RUN).eval_sums(None, None, None, batch, None)
    total, count = sums["level"]
    assert float(total / count) == pytest.approx(6.02, abs=0.01)

"""Instrument classifier: closed forms, chance level, silence, saving."""

from typing import NamedTuple

import numpy as np
import pytest

from stemjax.eval.metrics import instrument_classifier as module
from stemjax.eval.populations.clips import RATE
from stemjax.eval.reports.classifier_report import confusion_table

TONE, NOISE, CLICKS = 0, 5, 16
SECONDS = 5


class Clip(NamedTuple):
    audio: np.ndarray
    rate: int
    category: int


def clip(category, seed):
    """A vibrating tone with overtones, filtered noise, or clicks; at any level."""
    rng = np.random.default_rng(seed)
    time = np.arange(SECONDS * RATE) / RATE
    level = 10 ** rng.uniform(-1.5, -0.3)
    if category == TONE:
        hertz = 110 * 2 ** rng.uniform(0, 2)
        audio = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 6)) / 2
    elif category == NOISE:
        audio = np.convolve(rng.normal(size=len(time)), np.ones(8) / 8, "same")
    else:
        audio = np.zeros(len(time))
        audio[:: int(RATE * rng.uniform(0.2, 0.5))] = 1.0
        audio = np.convolve(audio, np.exp(-np.arange(400) / 80), "same")
    return Clip((level * audio).astype(np.float32), RATE, category)


def clips(seed, count=8):
    return [
        clip(category, 1_000 * seed + 10 * k + n)
        for n, category in enumerate((TONE, NOISE, CLICKS))
        for k in range(count)
    ]


@pytest.fixture(scope="module")
def labelled():
    return module.describe_clips(clips(1)), module.describe_clips(clips(2))


def test_it_tells_what_differs_and_shuffled_labels_are_chance(labelled):
    training, held_out = labelled
    result = module.judge(module.fit(*training), held_out)
    assert result.accuracy == result.balanced == 1
    assert result.chance == pytest.approx(1 / 3)
    rng = np.random.default_rng(0)
    shuffled = [
        module.judge(
            module.fit(training.vectors, list(rng.permutation(training.labels))),
            held_out,
        ).accuracy
        for _ in range(12)
    ]
    assert abs(np.mean(shuffled) - result.chance) < 0.15


def test_level_has_no_influence_and_silence_no_category(labelled):
    classifier = module.fit(*labelled[0])
    audio = clip(NOISE, 77).audio
    loud, quiet = (module.features(gain * audio) for gain in (1.0, 0.05))
    np.testing.assert_allclose(loud, quiet, atol=2e-3)
    assert module.answer(classifier, audio) == NOISE
    assert module.answer(classifier, 0 * audio) is None
    half = np.concatenate([0 * audio[: module.WINDOW_SAMPLES], audio])
    assert len(module.features(half)) == len(module.features(audio)) == 2
    short = module.features(audio[:RATE])
    assert short.shape == (1, 6 * module.BANDS) and np.isfinite(short).all()


def test_the_discriminant_is_that_of_equal_priors_and_one_covariance():
    """Against the textbook formula with a shrunk covariance, on random vectors."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))
    centres = 2 * rng.normal(size=(3, 4))
    labels = np.repeat([2, 5, 9], (40, 10, 25))
    x = centres[np.repeat([0, 1, 2], (40, 10, 25))] + rng.normal(size=(75, 4)) @ mixing
    result = module.fit([row[None] for row in x], labels)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    means = [z[labels == c].mean(axis=0) for c in (2, 5, 9)]
    covariance = np.mean(
        [np.cov(z[labels == c].T, bias=True) for c in (2, 5, 9)], axis=0
    )
    covariance = 0.8 * covariance + 0.2 * np.eye(4)
    inverse = np.linalg.inv(covariance)
    for row, window in zip(z[::9], x[::9], strict=True):
        density = np.array([-0.5 * (row - m) @ inverse @ (row - m) for m in means])
        expected = density - np.log(np.exp(density).sum())
        np.testing.assert_allclose(
            module.log_probabilities(result, window[None]), expected, atol=1e-8
        )


def test_figures_by_hand():
    result = module.figures([0, 0, 0, 5], [0, 0, 5, 5])
    assert (result.accuracy, result.chance) == (0.75, 0.75)
    assert result.balanced == pytest.approx((2 / 3 + 1) / 2)
    confusion = module.as_json(result)["confusion"]
    assert confusion == {"piano": {"piano": 2, "strings": 1}, "strings": {"strings": 1}}
    table = confusion_table({"confusion": confusion}).splitlines()
    assert table[0] == "| truth \\ answer | piano | strings |"
    assert table[2:] == ["| piano | 2 | 1 |", "| strings |  | 1 |"]

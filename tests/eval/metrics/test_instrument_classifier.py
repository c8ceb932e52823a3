"""The classifier of instruments: closed forms, chance, silence, what is saved."""

from typing import NamedTuple

import numpy as np
import pytest

from stemjax.cli.evaluate import classifier as command
from stemjax.config.categories import CATEGORIES
from stemjax.eval.metrics import instrument_classifier as body
from stemjax.eval.populations.clips import RATE
from stemjax.io.errors import UserError

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
    return body.describe_clips(clips(1)), body.describe_clips(clips(2))


def test_it_tells_what_differs_and_shuffled_labels_are_chance(labelled):
    training, held_out = labelled
    found = body.judge(body.fit(*training), held_out)
    assert found.accuracy == found.balanced == 1
    assert found.chance == pytest.approx(1 / 3)
    rng = np.random.default_rng(0)
    shuffled = [
        body.judge(
            body.fit(training.vectors, list(rng.permutation(training.labels))), held_out
        ).accuracy
        for _ in range(12)
    ]
    assert abs(np.mean(shuffled) - found.chance) < 0.15


def test_level_says_nothing_and_silence_has_no_answer(labelled):
    classifier = body.fit(*labelled[0])
    audio = clip(NOISE, 77).audio
    loud, quiet = (body.features(gain * audio) for gain in (1.0, 0.05))
    np.testing.assert_allclose(loud, quiet, atol=2e-3)
    assert body.answer(classifier, audio) == NOISE
    assert body.answer(classifier, 0 * audio) is None
    half = np.concatenate([0 * audio[: body.WINDOW_SAMPLES], audio])
    assert len(body.features(half)) == len(body.features(audio)) == 2
    short = body.features(audio[:RATE])
    assert short.shape == (1, 6 * body.BANDS) and np.isfinite(short).all()


def test_the_discriminant_is_that_of_equal_priors_and_one_covariance():
    """Against the textbook on shrunk covariance, on made vectors."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))
    centres = 2 * rng.normal(size=(3, 4))
    labels = np.repeat([2, 5, 9], (40, 10, 25))
    x = centres[np.repeat([0, 1, 2], (40, 10, 25))] + rng.normal(size=(75, 4)) @ mixing
    found = body.fit([row[None] for row in x], labels)
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
            body.log_probabilities(found, window[None]), expected, atol=1e-8
        )


def test_figures_by_hand():
    found = body.figures([0, 0, 0, 5], [0, 0, 5, 5])
    assert (found.accuracy, found.chance) == (0.75, 0.75)
    assert found.balanced == pytest.approx((2 / 3 + 1) / 2)
    confusion = body.as_json(found)["confusion"]
    assert confusion == {"piano": {"piano": 2, "strings": 1}, "strings": {"strings": 1}}
    table = command.confusion_table({"confusion": confusion}).splitlines()
    assert table[0] == "| truth \\ answer | piano | strings |"
    assert table[2:] == ["| piano | 2 | 1 |", "| strings |  | 1 |"]


def test_it_is_trained_once_saved_and_read(tmp_path, labelled):
    calls = []

    def of(seed):
        def make():
            calls.append(seed)
            return clips(seed, 3)

        return make

    splits = {"train": of(1), "test": of(2)}
    asked = ("", str(tmp_path), splits, "c" * 64)
    first = command.find_or_train(*asked)
    assert calls == [1, 2]
    assert first.config["data"] == "c" * 64 and first.config["training_clips"] == 9
    assert first.config["held_out"]["test"]["accuracy"] == 1
    again = command.find_or_train(*asked)
    assert calls == [1, 2] and again.sha256 == first.sha256
    assert CATEGORIES[again.answer(clip(CLICKS, 5).audio)] == "drums"
    (folder,) = (tmp_path / "instrument-classifier").iterdir()
    assert "| drums |  |  | 3 |" in (folder / "README.md").read_text()
    other = command.find_or_train("", str(tmp_path), splits, "d" * 64)
    assert calls == [1, 2, 1, 2] and other.sha256 == first.sha256
    with pytest.raises(UserError, match="needs songs in train and in another"):
        command.train(tmp_path / "x", {"train": of(1)}, "c")
    with pytest.raises(UserError, match="two categories"):
        body.fit(labelled[0].vectors[:2], labelled[0].labels[:2])

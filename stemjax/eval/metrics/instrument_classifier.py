"""Which instrument plays? A small classifier of the 18 categories, fit on real stems.

Fisher's linear discriminant (one covariance for all categories, shrunk towards the
identity; equal priors) on statistics of the log-mel spectrogram of windows of 2.5 s,
each relative to its own peak: level says nothing.  A clip's answer is the category of the
highest mean log-probability over its windows that sound.  In closed form: the same
clips give the same weights.

It judges whether a generated stem sounds like what was asked for.  Read its accuracy
beside that of real stems, its ceiling, and of real stems through the codec: what it
loses there is the codec's doing.
"""

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from stemjax.analysis.audio import RATE, resample
from stemjax.arrays.mel import log_mel
from stemjax.config.categories import CATEGORIES
from stemjax.eval.populations import clips
from stemjax.io.errors import UserError
from stemjax.io.release import read_release, write_release

KIND = "instrument-classifier"
VERSION = 1  # a change of features or fit counts it up
SECONDS = 2.5
WINDOW_SAMPLES = round(SECONDS * RATE)
STFT, BANDS = 1024, 64
RANGE = 3.0  # decades of magnitude below a window's peak that are seen
SHRINKAGE = 0.2  # of the covariance towards the identity
LEAST_SPREAD = 1e-3  # decades, so that a constant feature stays finite


class Classifier(NamedTuple):
    """D features, K categories that were heard in training."""

    categories: np.ndarray
    """[K] int, ascending."""
    mean: np.ndarray
    """[D] of the training windows."""
    scale: np.ndarray
    """[D] their standard deviation."""
    weights: np.ndarray
    """[D, K]."""
    bias: np.ndarray
    """[K]."""


class Figures(NamedTuple):
    """What a classifier reaches on clips whose categories are known."""

    confusion: np.ndarray
    """[18, 18] counts: row the truth, column the answer."""

    @property
    def count(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion) / self.count)

    @property
    def balanced(self) -> float:
        """Mean over the categories there are of each one's accuracy."""
        rows = self.confusion.sum(axis=1)
        return float(np.mean((np.diag(self.confusion) / np.maximum(rows, 1))[rows > 0]))

    @property
    def chance(self) -> float:
        """Share of the largest category: what always naming it would reach."""
        return float(self.confusion.sum(axis=1).max() / self.count)


def features(audio: np.ndarray) -> np.ndarray:
    """A clip [N] at 16 kHz to the statistics [W, D] of its windows that sound.

    The last window is zero-padded if there is but one, else dropped.  Per band over
    time: mean, deviation, mean change, root mean square rise, 90 % and 10 % points.
    """
    count = max(1, len(audio) // WINDOW_SAMPLES)
    padded = np.pad(audio, (0, max(0, count * WINDOW_SAMPLES - len(audio))))
    windows = padded[: count * WINDOW_SAMPLES].reshape(count, -1).astype(np.float32)
    windows = windows[np.abs(windows).max(axis=1) >= clips.SILENT_PEAK]
    if not len(windows):
        return np.zeros((0, 6 * BANDS), np.float32)
    mel = np.stack(
        [np.asarray(_log_mel(window)) for window in windows]
    )  # [W, T, bands]
    mel = np.maximum(mel - mel.max(axis=(1, 2), keepdims=True), -RANGE)
    change = np.diff(mel, axis=1)
    statistics = (
        mel.mean(axis=1),
        mel.std(axis=1),
        np.abs(change).mean(axis=1),
        np.sqrt((np.maximum(change, 0) ** 2).mean(axis=1)),
        *np.percentile(mel, (90, 10), axis=1),
    )
    return np.concatenate(statistics, axis=1).astype(np.float32)


@jax.jit
def _log_mel(window: jax.Array) -> jax.Array:
    return log_mel(
        window,
        sample_rate=RATE,
        window=STFT,
        hop=STFT // 4,
        bins=BANDS,
        floor=10.0**-6,
    )


def fit(vectors: Sequence[np.ndarray], labels: Sequence[int]) -> Classifier:
    """The discriminant of clips' windows, [W, D] each, and the clips' categories.

    Raises:
      UserError: windows of fewer than two categories.
    """
    x = np.concatenate(vectors).astype(np.float64)
    y = np.repeat(np.asarray(labels), [len(v) for v in vectors])
    categories = np.unique(y)
    if len(categories) < 2:
        raise UserError("instrument classifier: stems of two categories are needed")
    which = np.searchsorted(categories, y)
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), LEAST_SPREAD)
    z = (x - mean) / scale
    centres = np.stack([z[which == k].mean(axis=0) for k in range(len(categories))])
    rest = z - centres[which]
    # each category weighs alike, however many windows it has
    weight = 1 / (len(categories) * np.bincount(which)[which])
    covariance = (rest * weight[:, None]).T @ rest
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(len(mean))
    weights = np.linalg.solve(covariance, centres.T)
    bias = -0.5 * np.einsum("kd,dk->k", centres, weights)
    return Classifier(categories, mean, scale, weights, bias)


def log_probabilities(classifier: Classifier, vectors: np.ndarray) -> np.ndarray:
    """Mean over windows [W, D] of the log-probability of each category, [K].

    Raises:
      ValueError: no window.
    """
    if not len(vectors):
        raise ValueError("no window that sounds")
    z = (np.asarray(vectors, np.float64) - classifier.mean) / classifier.scale
    scores = z @ classifier.weights + classifier.bias
    scores -= scores.max(axis=1, keepdims=True)
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).mean(axis=0)


def answer(classifier: Classifier, audio: np.ndarray) -> int | None:
    """The category of a clip [N] at 16 kHz; None where nothing sounds."""
    vectors = features(audio)
    if not len(vectors):
        return None
    best = np.argmax(log_probabilities(classifier, vectors))
    return int(classifier.categories[best])


def figures(truth: Iterable[int], found: Iterable[int]) -> Figures:
    """Counts of answers by truth.

    Raises:
      UserError: no clip.
    """
    confusion = np.zeros((len(CATEGORIES), len(CATEGORIES)), np.int64)
    for t, f in zip(truth, found, strict=True):
        confusion[t, f] += 1
    if not confusion.sum():
        raise UserError("instrument classifier: no clip to measure it on")
    return Figures(confusion)


class Labelled(NamedTuple):
    """Clips with their categories, as windows' features."""

    vectors: list[np.ndarray]
    labels: list[int]


def describe_clips(
    stems: Iterable[Any],
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> Labelled:
    """Features of stems that have `audio` [N], its `rate` in Hz and a `category`; silent
    ones are left out."""
    found = Labelled([], [])
    for stem in stems:
        vectors = features(resample(stem.audio, stem.rate))
        if len(vectors):
            found.vectors.append(vectors)
            found.labels.append(stem.category)
        progress(1)
    return found


def judge(classifier: Classifier, held_out: Labelled) -> Figures:
    """Its figures on clips that did not train it."""
    best = [np.argmax(log_probabilities(classifier, v)) for v in held_out.vectors]
    return figures(held_out.labels, classifier.categories[best])


def as_json(found: Figures) -> dict[str, Any]:
    """Figures as JSON values; the confusion by names, zeros left out."""
    confusion = {
        CATEGORIES[t]: {
            CATEGORIES[f]: int(row[f])
            for f in np.argsort(-row, kind="stable")
            if row[f]
        }
        for t, row in enumerate(found.confusion)
        if row.any()
    }
    return {
        "clips": found.count,
        "accuracy": found.accuracy,
        "balanced_accuracy": found.balanced,
        "chance": found.chance,
        "confusion": confusion,
    }


def save(
    folder: str | pathlib.Path,
    classifier: Classifier,
    about: Mapping[str, Any],
    card: str,
) -> None:
    """Write it as a release: config.json, model.safetensors, README.md.

    about: what it was fit on and what it reaches, JSON values.
    """
    config = {"kind": KIND, "version": VERSION, "categories": list(CATEGORIES)}
    weights = {
        name: np.asarray(value, np.int32 if name == "categories" else np.float64)
        for name, value in classifier._asdict().items()
    }
    write_release(folder, config | dict(about), weights, card)


class Loaded(NamedTuple):
    """A classifier that was read."""

    classifier: Classifier
    config: dict[str, Any]
    sha256: str

    def answer(self, audio: np.ndarray) -> int | None:
        """See `answer`."""
        return answer(self.classifier, audio)


def load(folder: str | pathlib.Path) -> Loaded:
    """Read what `save` wrote.

    Raises:
      UserError: none, or of another version.
    """
    release = read_release(folder, kind=KIND)
    if (release.config.get("version"), release.config.get("categories")) != (
        VERSION,
        list(CATEGORIES),
    ):
        raise UserError(
            f"{folder}: a classifier of another version; make it again with"
            " `python evaluate.py classifier`"
        )
    classifier = Classifier(**release.weights)
    return Loaded(classifier, release.config, release.sha256)

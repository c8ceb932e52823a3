"""Instrument classifier: a linear discriminant of the 18 categories, fit on real stems.

Fisher's linear discriminant (one covariance for all categories, shrunk towards the
identity; equal priors) on statistics of the log-mel spectrogram of windows of 2.5 s, each
relative to its peak, so the level has no influence.  A clip's category is the one with
the highest mean log-probability over its windows that sound.  The fit is in closed form:
equal clips give equal weights.

It measures whether generated stems sound like the requested instrument.  Compare its
accuracy with that of real stems, the upper bound, and of real stems through the codec,
which shows the codec's loss.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from stemjax.analysis.audio import RATE, resample
from stemjax.arrays.mel import log_mel
from stemjax.config.categories import CATEGORIES
from stemjax.config.releases import ReleaseConfig
from stemjax.eval.populations import clips
from stemjax.io.errors import UserError
from stemjax.io.release import read_release, write_release
from stemjax.io.weights import check_arrays

KIND = "instrument-classifier"
VERSION = 1  # increase it if the features or the fit change
SECONDS = 2.5
WINDOW_SAMPLES = round(SECONDS * RATE)
STFT, BANDS = 1024, 64
RANGE = 3.0  # decades of magnitude below a window's peak
SHRINKAGE = 0.2  # of the covariance towards the identity
LEAST_SPREAD = 1e-3  # decades, least standard deviation of a feature


class Classifier(NamedTuple):
    """A linear discriminant of D features and the K categories of the training set."""

    categories: np.ndarray
    """[K] int, ascending."""
    mean: np.ndarray
    """[D] mean of the training windows."""
    scale: np.ndarray
    """[D] standard deviation of the training windows."""
    weights: np.ndarray
    """[D, K] for standardised features."""
    bias: np.ndarray
    """[K] offsets of the scores."""


class ClassifierAccuracy(NamedTuple):
    """Accuracy of a classifier on clips of known categories."""

    confusion: np.ndarray
    """[18, 18] counts: row the true category, column the predicted one."""

    @property
    def count(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion) / self.count)

    @property
    def balanced(self) -> float:
        """Mean of the accuracies of the categories that occur."""
        rows = self.confusion.sum(axis=1)
        return float(np.mean((np.diag(self.confusion) / np.maximum(rows, 1))[rows > 0]))

    @property
    def chance(self) -> float:
        """Accuracy of always predicting the most frequent category."""
        return float(self.confusion.sum(axis=1).max() / self.count)


def features(audio: np.ndarray) -> np.ndarray:
    """Statistics [W, D] of the windows of a clip [N] at 16 kHz, without silent windows.

    An incomplete window is dropped, or zero-padded if it is the only one.  The features
    of each band are its mean over time, standard deviation, mean change, root mean square
    rise, and 90 % and 10 % quantiles.
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
    """Fit the discriminant.

    Args:
      vectors: features [W, D] of each clip's windows.
      labels: category of each clip.

    Raises:
      UserError: fewer than two categories.
    """
    x = np.concatenate(vectors).astype(np.float64)
    y = np.repeat(np.asarray(labels), [len(v) for v in vectors])
    categories = np.unique(y)
    if len(categories) < 2:
        raise UserError(
            "instrument classifier: stems of one category; give data with two categories"
            " or more"
        )
    which = np.searchsorted(categories, y)
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), LEAST_SPREAD)
    z = (x - mean) / scale
    centres = np.stack([z[which == k].mean(axis=0) for k in range(len(categories))])
    rest = z - centres[which]
    # categories have equal weights, whatever their number of windows
    weight = 1 / (len(categories) * np.bincount(which)[which])
    covariance = (rest * weight[:, None]).T @ rest
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(len(mean))
    weights = np.linalg.solve(covariance, centres.T)
    bias = -0.5 * np.einsum("kd,dk->k", centres, weights)
    return Classifier(categories, mean, scale, weights, bias)


def log_probabilities(classifier: Classifier, vectors: np.ndarray) -> np.ndarray:
    """Mean log-probability of each category over windows [W, D], [K].

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
    """Predict the category of a clip [N] at 16 kHz; None if it is silent."""
    vectors = features(audio)
    if not len(vectors):
        return None
    best = np.argmax(log_probabilities(classifier, vectors))
    return int(classifier.categories[best])


def figures(truth: Iterable[int], predicted: Iterable[int]) -> ClassifierAccuracy:
    """Count predicted categories by true category.

    Raises:
      UserError: no clip.
    """
    confusion = np.zeros((len(CATEGORIES), len(CATEGORIES)), np.int64)
    for t, p in zip(truth, predicted, strict=True):
        confusion[t, p] += 1
    if not confusion.sum():
        raise UserError(
            "instrument classifier: no held-out clip; add songs to another split"
        )
    return ClassifierAccuracy(confusion)


class LabelledFeatures(NamedTuple):
    """Features and categories of clips."""

    vectors: list[np.ndarray]
    """Features [W, D] of each clip's windows."""
    labels: list[int]
    """Category of each clip."""


def describe_clips(
    stems: Iterable[Any],
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> LabelledFeatures:
    """Compute the features of stems, without silent ones.

    Args:
      stems: objects with `audio` [N], `rate` in Hz and `category`.
      progress: called with the number of stems that are done.
    """
    described = LabelledFeatures([], [])
    for stem in stems:
        vectors = features(resample(stem.audio, stem.rate))
        if len(vectors):
            described.vectors.append(vectors)
            described.labels.append(stem.category)
        progress(1)
    return described


def judge(classifier: Classifier, held_out: LabelledFeatures) -> ClassifierAccuracy:
    """Accuracy of a classifier on clips that it was not fit on."""
    best = [np.argmax(log_probabilities(classifier, v)) for v in held_out.vectors]
    return figures(held_out.labels, classifier.categories[best])


def as_json(accuracy: ClassifierAccuracy) -> dict[str, Any]:
    """Accuracy as JSON values; the confusion by names, without zeros."""
    confusion = {
        CATEGORIES[t]: {
            CATEGORIES[f]: int(row[f])
            for f in np.argsort(-row, kind="stable")
            if row[f]
        }
        for t, row in enumerate(accuracy.confusion)
        if row.any()
    }
    return {
        "clips": accuracy.count,
        "accuracy": accuracy.accuracy,
        "balanced_accuracy": accuracy.balanced,
        "chance": accuracy.chance,
        "confusion": confusion,
    }


def save(
    folder: str | pathlib.Path,
    classifier: Classifier,
    about: Mapping[str, Any],
    card: str,
) -> None:
    """Write a classifier as a release: config.json, model.safetensors, README.md.

    Args:
      folder: of the release.
      classifier: to be written.
      about: training data and accuracy, JSON values for config.json.
      card: text of README.md.
    """
    config = {"kind": KIND, "version": VERSION, "categories": list(CATEGORIES)}
    weights = {
        name: np.asarray(value, np.int32 if name == "categories" else np.float64)
        for name, value in classifier._asdict().items()
    }
    write_release(folder, config | dict(about), weights, card)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccuracyRecord:
    """Accuracy on one split, as `as_json` writes it."""

    clips: int
    accuracy: float
    balanced_accuracy: float
    chance: float
    confusion: dict[str, dict[str, int]]
    """True category -> predicted category -> clips, without zeros."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierRelease(ReleaseConfig):
    """Release of a classifier."""

    KIND = KIND

    categories: tuple[str, ...]
    """Table of categories."""
    data: str = ""
    """Content hash of the training data."""
    training_clips: int = 0
    """Number of training clips."""
    held_out: dict[str, AccuracyRecord] = dataclasses.field(default_factory=dict)
    """Accuracy on each other split."""


class LoadedClassifier(NamedTuple):
    """A classifier with its release."""

    classifier: Classifier
    """The discriminant."""
    config: ClassifierRelease
    """Content of config.json."""
    sha256: str
    """Digest of the weights."""

    def answer(self, audio: np.ndarray) -> int | None:
        """See `answer`."""
        return answer(self.classifier, audio)


def load(folder: str | pathlib.Path) -> LoadedClassifier:
    """Read a classifier that `save` wrote.

    Raises:
      UserError: no classifier, or one of another version.
    """
    release = read_release(folder, ClassifierRelease)
    if (release.config.version, release.config.categories) != (VERSION, CATEGORIES):
        raise UserError(
            f"{folder}: a classifier of another version; make it again with"
            " `stemjax evaluate classifier`"
        )
    classifier = _checked(release.weights, folder)
    return LoadedClassifier(classifier, release.config, release.sha256)


def _checked(weights: Mapping[str, np.ndarray], source: Any) -> Classifier:
    """The classifier of weights, each float64 but the categories, finite, none to spare.

    Raises:
      UserError: a tensor is missing, unknown, of another shape or type, or not finite.
    """
    categories = weights.get("categories", np.zeros(0, np.int32))
    bands, kinds = 6 * BANDS, categories.size
    numbers = {k: v for k, v in weights.items() if k != "categories"}
    shapes = {"mean": (bands,), "scale": (bands,), "bias": (kinds,)}
    shapes["weights"] = (bands, kinds)
    check_arrays(numbers, shapes, source, dtype=np.float64)
    is_ascending = categories.ndim == 1 and np.all(np.diff(categories) > 0)
    if (
        categories.dtype != np.int32
        or not kinds
        or not is_ascending
        or not 0 <= categories[0] <= categories[-1] < len(CATEGORIES)
    ):
        raise UserError(f"{source}: categories are not rising numbers of categories")
    return Classifier(categories=categories, **numbers)

"""Train the instrument classifier on real stems and measure it on other songs."""

import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stemjax.eval.metrics import instrument_classifier
from stemjax.eval.metrics.instrument_classifier import LoadedClassifier
from stemjax.eval.populations.progress import StageProgress, advance
from stemjax.eval.reports.classifier_report import card
from stemjax.io.errors import UserError
from stemjax.io.release import CONFIG

TRAINING = "train"
LabelledStems = Callable[[], Iterable[Any]]
"""Returns stems with `audio` [N], its `rate` in Hz and a `category`, anew at each call."""


def train(
    folder: str | pathlib.Path,
    splits: Mapping[str, LabelledStems],
    content_hash: str,
    progress: StageProgress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Fit on the train split, measure on the other splits, write a release folder.

    Args:
      content_hash: hash of the prepared folder that the stems are from.

    Returns:
      The config of the release, with the accuracies.

    Raises:
      UserError: no train split, or no other split.
    """
    if TRAINING not in splits or len(splits) < 2:
        raise UserError(
            "instrument classifier: the data needs songs in train and in another split"
        )

    def features(split: str) -> instrument_classifier.LabelledFeatures:
        step = advance(progress, f"stems of {split}", 0)
        return instrument_classifier.describe_clips(splits[split](), progress=step)

    training = features(TRAINING)
    classifier = instrument_classifier.fit(*training)
    config = {
        "data": content_hash,
        "training_clips": len(training.labels),
        "held_out": {
            split: instrument_classifier.as_json(
                instrument_classifier.judge(classifier, features(split))
            )
            for split in splits
            if split != TRAINING
        },
    }
    instrument_classifier.save(folder, classifier, config, card(config))
    return config


def load_or_train(
    folder: str,
    cache: str | pathlib.Path,
    splits: Mapping[str, LabelledStems],
    content_hash: str,
    progress: StageProgress = lambda what, done, total: None,
) -> LoadedClassifier:
    """The classifier in `folder`, or the cached one of the data, trained at first use.

    Args:
      folder: release folder of a classifier; "" uses the cache.
      cache: folder of cached analyses.

    Raises:
      UserError: a folder without a classifier, or as `train`.
    """
    if folder:
        return instrument_classifier.load(folder)
    name = f"v{instrument_classifier.VERSION}-{content_hash[:16]}"
    cached = pathlib.Path(cache) / "instrument-classifier" / name
    if not (cached / CONFIG).is_file():
        train(cached, splits, content_hash, progress)
    return instrument_classifier.load(cached)

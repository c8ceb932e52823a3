"""`evaluate.py classifier`: train and measure the instrument classifier."""

import functools
import pathlib
from typing import Any

from stemjax.cli.evaluate.shared.decoding_arguments import ClassifierArguments
from stemjax.cli.evaluate.shared.progress import ProgressBar
from stemjax.data.drawing.audio import StemSource
from stemjax.data.drawing.evaluation_stems import labelled_clips
from stemjax.data.layouts.song import SPLITS
from stemjax.data.spec import open_audio
from stemjax.eval.metrics.instrument_classifier import LoadedClassifier
from stemjax.eval.reports.classifier_report import card
from stemjax.eval.studies.instrument_training import (
    LabelledStems,
    load_or_train,
    train,
)

DEFAULTS = ClassifierArguments(data="", out="")


def run(command: ClassifierArguments) -> None:
    """Train and measure the classifier, write its release folder, print the accuracy.

    Raises:
      UserError: bad data, no train split, or no other split.
    """
    source = open_audio(command.data)
    splits = labelled_splits(source, command.per_category, command.seed)
    with ProgressBar() as progress:
        config: dict[str, Any] = train(
            command.out, splits, source.content_hash, progress
        )
    print(card(config), end="")
    print(f"{command.out}: config.json, model.safetensors, README.md")


def load_classifier(
    folder: str, source: StemSource, cache: pathlib.Path
) -> LoadedClassifier:
    """The classifier in `folder`; if it is "", that of the data, trained at first use.

    Raises:
      UserError: a folder without a classifier, no train split, or no other split.
    """
    splits = labelled_splits(source, DEFAULTS.per_category, DEFAULTS.seed)
    with ProgressBar() as progress:
        return load_or_train(folder, cache, splits, source.content_hash, progress)


def labelled_splits(
    source: StemSource, per_category: int, seed: int
) -> dict[str, LabelledStems]:
    """Labelled clips of each split of a prepared folder that has songs."""
    return {
        split: functools.partial(
            labelled_clips, source, split, per_category=per_category, seed=seed
        )
        for split in SPLITS
        if source.index(split).songs
    }

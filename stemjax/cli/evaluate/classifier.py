"""`evaluate.py classifier`: which instrument plays, learned from real stems."""

import functools
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stemjax.cli.evaluate.decoding import bar
from stemjax.cli.evaluate.listening_arguments import Classifier
from stemjax.config.categories import CATEGORIES
from stemjax.data.drawing.evaluation_stems import labelled_clips
from stemjax.data.layouts.song import SPLITS
from stemjax.data.spec import open_audio
from stemjax.eval.metrics import instrument_classifier
from stemjax.eval.metrics.instrument_classifier import Labelled, Loaded
from stemjax.eval.reports.report import as_markdown
from stemjax.io.errors import UserError
from stemjax.io.release import CONFIG

TRAINING = "train"
Clips = Callable[[], Iterable[Any]]
"""Real stems with `audio` [N], its `rate` and a `category`, afresh at each call."""


def train(
    folder: str | pathlib.Path,
    splits: Mapping[str, Clips],
    content_hash: str,
) -> dict[str, Any]:
    """Fit on the split "train", measure on the others, save; returns the config.

    content_hash: of the prepared folder they are from.

    Raises:
      UserError: no training split, or no other.
    """
    if TRAINING not in splits or len(splits) < 2:
        raise UserError(
            "instrument classifier: the data needs songs in train and in another split"
        )

    def describe(name: str) -> Labelled:
        with bar(f"stems of {name}", None, "clip") as progress:
            return instrument_classifier.describe_clips(
                splits[name](), progress=progress
            )

    training = describe(TRAINING)
    classifier = instrument_classifier.fit(*training)
    config = {
        "data": content_hash,
        "training_clips": len(training.labels),
        "held_out": {
            name: instrument_classifier.as_json(
                instrument_classifier.judge(classifier, describe(name))
            )
            for name in splits
            if name != TRAINING
        },
    }
    instrument_classifier.save(folder, classifier, config, card(config))
    return config


def find_or_train(
    given: str,
    cache: str,
    splits: Mapping[str, Clips],
    content_hash: str,
) -> Loaded:
    """A classifier that was given, else that of the data, trained at its first use.

    given: folder, or "".  cache: where those of data lie.

    Raises:
      UserError: the folder given holds none.
    """
    if given:
        return instrument_classifier.load(given)
    name = f"v{instrument_classifier.VERSION}-{content_hash[:16]}"
    folder = pathlib.Path(cache).expanduser() / "instrument-classifier" / name
    if not (folder / CONFIG).is_file():
        train(folder, splits, content_hash)
    return instrument_classifier.load(folder)


def summary(config: Mapping[str, Any]) -> str:
    """Its figures as a table."""
    rows = [
        [
            name,
            str(found["clips"]),
            f"{found['accuracy']:.3f}",
            f"{found['balanced_accuracy']:.3f}",
            f"{found['chance']:.3f}",
        ]
        for name, found in config["held_out"].items()
    ]
    header = ("songs of", "clips", "accuracy", "balanced accuracy", "largest category")
    return as_markdown(header, rows)


def confusion_table(found: Mapping[str, Any]) -> str:
    """Truth by answer, counts; an answer never given has no column."""
    counts = found["confusion"]
    answers = [
        name for name in CATEGORIES if any(name in row for row in counts.values())
    ]
    rows = [
        [truth, *(str(counts[truth].get(name, "")) for name in answers)]
        for truth in CATEGORIES
        if truth in counts
    ]
    return as_markdown(("truth \\ answer", *answers), rows)


def card(config: Mapping[str, Any]) -> str:
    """The release's README."""
    parts = [
        "# Instrument classifier",
        "",
        "A linear discriminant of log-mel statistics, fit on"
        f" {config['training_clips']} clips of 10 s of real stems (data"
        f" {config['data'][:12]}). It judges generated stems; it is no product.",
        "",
        summary(config),
    ]
    for name, found in config["held_out"].items():
        parts += [f"## Songs of {name}", "", confusion_table(found)]
    return "\n".join(parts)


def labelled_splits(source: Any, command: Classifier) -> dict[str, Clips]:
    """The labelled clips of each split of a prepared folder that has songs."""
    clips_of = functools.partial(
        labelled_clips, source, per_category=command.per_category, seed=command.seed
    )
    splits = [split for split in SPLITS if source.index(split).songs]
    return {split: functools.partial(clips_of, split) for split in splits}


def classifier_of(folder: str, source: Any, cache: str) -> Loaded:
    """The classifier in `folder`, or that of a prepared folder if `folder` is ""."""
    splits = labelled_splits(source, Classifier(data="", out=""))
    return find_or_train(folder, cache, splits, source.content_hash)


def run(command: Classifier) -> None:
    """Fit and measure the classifier, write its release folder, print the figures.

    Raises:
      UserError: bad data, no training split, or no other.
    """
    source = open_audio(command.data)
    splits = labelled_splits(source, command)
    config = train(command.out, splits, source.content_hash)
    print(card(config), end="")
    print(f"{command.out}: config.json, model.safetensors, README.md")

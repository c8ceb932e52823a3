"""Accuracy of the instrument classifier as markdown."""

from collections.abc import Mapping
from typing import Any

from stemjax.config.categories import CATEGORIES
from stemjax.eval.reports.report import as_markdown


def card(config: Mapping[str, Any]) -> str:
    """README of a classifier's release folder.

    Args:
      config: of `studies.instrument_training.train`.
    """
    parts = [
        "# Instrument classifier",
        "",
        "A linear discriminant of log-mel statistics, fitted on"
        f" {config['training_clips']} clips of 10 s of real stems (data"
        f" {config['data'][:12]}). It measures generated stems and is not meant for any"
        " other use.",
        "",
        summary(config),
    ]
    for split, figures in config["held_out"].items():
        parts += [f"## Songs of {split}", "", confusion_table(figures)]
    return "\n".join(parts)


def summary(config: Mapping[str, Any]) -> str:
    """Accuracy on each held-out split as a table."""
    rows = [
        [
            split,
            str(figures["clips"]),
            f"{figures['accuracy']:.3f}",
            f"{figures['balanced_accuracy']:.3f}",
            f"{figures['chance']:.3f}",
        ]
        for split, figures in config["held_out"].items()
    ]
    header = ("songs of", "clips", "accuracy", "balanced accuracy", "largest category")
    return as_markdown(header, rows)


def confusion_table(figures: Mapping[str, Any]) -> str:
    """Counts of true category by answer; an answer that never occurs has no column."""
    counts = figures["confusion"]
    answers = [
        name for name in CATEGORIES if any(name in row for row in counts.values())
    ]
    rows = [
        [truth, *(str(counts[truth].get(name, "")) for name in answers)]
        for truth in CATEGORIES
        if truth in counts
    ]
    return as_markdown(("truth \\ answer", *answers), rows)

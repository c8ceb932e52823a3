"""Totals of a prepared folder: songs and hours of each split, minutes of each category."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.categories import CATEGORIES, VOICE
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import read_levels, read_manifest
from stemjax.data.prepared.segments import RMS_SECONDS

AUDIBLE_DB = -60.0
"""RMS of a frame of 0.1 s above which it is audible."""


class CategoryTotal(NamedTuple):
    """A category's share of the training songs."""

    songs: int
    minutes: float
    """Total length of its stems."""
    audible: float
    """Minutes of them that are not silent."""


class Summary(NamedTuple):
    """Totals of a prepared folder."""

    splits: dict[str, dict[str, Any]]
    """Counts of the manifest by split: songs, segments, stems, records, seconds."""
    stem_hours: dict[str, float]
    """Total length of the stems by split."""
    train: dict[int, CategoryTotal]
    """Training songs by category, -1 unknown."""

    @property
    def missing(self) -> list[str]:
        """Categories other than voice without an audible training stem."""
        return [
            name
            for category, name in enumerate(CATEGORIES)
            if category != VOICE
            and not (category in self.train and self.train[category].audible)
        ]


def summarise(folder: Path) -> Summary:
    """Totals from the manifest and the table of levels of a prepared folder.

    Raises:
      UserError: not a prepared folder.
    """
    manifest = read_manifest(folder)
    levels = read_levels(folder, manifest)
    stem_hours = dict.fromkeys(SPLITS, 0.0)
    minutes: dict[int, dict[str, list[float]]] = {}  # category -> song -> two totals
    row = 0
    for song in manifest["songs"]:
        split = song["split"]
        for segment in song["segments"]:
            stem_hours[split] += segment["seconds"] * len(segment["stems"]) / 3600
            for stem in segment["stems"]:
                if split == "train":
                    loud = np.count_nonzero(levels[row] > 10 * AUDIBLE_DB)
                    by_song = minutes.setdefault(stem["category"], {})
                    total = by_song.setdefault(song["id"], [0.0, 0.0])
                    total[0] += segment["seconds"] / 60
                    total[1] += loud * RMS_SECONDS / 60
                row += 1
    train = {
        category: CategoryTotal(
            len(totals), *map(sum, zip(*totals.values(), strict=True))
        )
        for category, totals in sorted(minutes.items())
    }
    return Summary(manifest["splits"], stem_hours, train)


def lines_of(summary: Summary) -> Iterator[str]:
    """The summary as lines of text."""
    for split, counts in summary.splits.items():
        yield (
            f"{split}: {counts['songs']} songs, {counts['segments']} segments,"
            f" {counts['stems']} stems, {counts['seconds'] / 3600:.2f} h,"
            f" {summary.stem_hours[split]:.2f} h of stems"
        )
    for category, total in summary.train.items():
        name = CATEGORIES[category] if category >= 0 else "unknown"
        yield (
            f"  {name:<20} {total.songs:4d} songs {total.minutes:7.1f} min,"
            f" audible {total.audible:7.1f} min"
        )
    if summary.missing:
        yield f"no training stem of {', '.join(summary.missing)}"

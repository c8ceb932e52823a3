"""What a prepared set holds, in hours and by category, read from its manifest."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stemjax.config.categories import CATEGORIES, VOICE
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import RMS, read_manifest
from stemjax.data.prepared.segments import RMS_SECONDS

SOUNDING_DB = -60.0  # RMS of 0.1 s
RENDERED = tuple(c for c in range(len(CATEGORIES)) if c != VOICE)  # all but the voice


class CategoryTotal(NamedTuple):
    """A category's share of the training songs."""

    songs: int
    minutes: float  # of stems
    sounding: float  # minutes of them that are not silent


class Summary(NamedTuple):
    """Of a prepared folder."""

    songs: dict[str, int]  # by split
    hours: dict[str, float]  # of segments, by split
    stem_hours: dict[str, float]
    train: dict[int, CategoryTotal]  # by category, training songs alone

    @property
    def missing(self) -> list[str]:
        """Rendered categories of which training has no sounding stem."""
        return [
            CATEGORIES[category]
            for category in RENDERED
            if category not in self.train or not self.train[category].sounding
        ]


def summarise(folder: Path) -> Summary:
    """Read the manifest and the table of levels of a prepared folder.

    Raises:
      UserError: not a prepared folder.
    """
    manifest = read_manifest(folder)
    levels = np.load(folder / RMS, mmap_mode="r", allow_pickle=False)
    songs = dict.fromkeys(SPLITS, 0)
    hours, stem_hours = dict.fromkeys(SPLITS, 0.0), dict.fromkeys(SPLITS, 0.0)
    found: dict[int, dict[str, list[float]]] = {}
    row = 0
    for song in manifest["songs"]:
        split = song["split"]
        songs[split] += 1
        for segment in song["segments"]:
            hours[split] += segment["seconds"] / 3600
            stem_hours[split] += segment["seconds"] * len(segment["stems"]) / 3600
            for stem in segment["stems"]:
                if split == "train":
                    loud = np.count_nonzero(levels[row] > 10 * SOUNDING_DB)
                    total = found.setdefault(stem["category"], {}).setdefault(
                        song["id"], [0.0, 0.0]
                    )
                    total[0] += segment["seconds"] / 60
                    total[1] += loud * RMS_SECONDS / 60
                row += 1
    train = {
        category: CategoryTotal(
            len(totals), *map(sum, zip(*totals.values(), strict=True))
        )
        for category, totals in sorted(found.items())
    }
    return Summary(songs, hours, stem_hours, train)


def lines_of(summary: Summary, draws: Sequence[int] = (1, 2, 4, 8)) -> Iterator[str]:
    """The summary for people; hours x draws is what a token store of that many holds."""
    for split in SPLITS:
        yield (
            f"{split}: {summary.songs[split]} songs, {summary.hours[split]:.2f} h of"
            f" segments, {summary.stem_hours[split]:.2f} h of stems"
        )
    for category, total in summary.train.items():
        name = CATEGORIES[category] if category >= 0 else "unknown"
        yield (
            f"  {name:<20} {total.songs:4d} songs {total.minutes:7.1f} min,"
            f" sounding {total.sounding:7.1f} min"
        )
    hours = summary.hours["train"]
    products = ", ".join(f"x {count} = {hours * count:.1f} h" for count in draws)
    yield f"training segments x submixes (train.py tokens --draws): {products}"
    if summary.missing:
        yield f"warning: training has no {', '.join(summary.missing)}"

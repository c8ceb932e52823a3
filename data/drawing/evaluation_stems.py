"""Real stems beside the evaluation pairs: of the same category but another song, which
cannot fit, and single clips with their categories, for a classifier of instruments.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.data.drawing.audio import Source, read_stems
from stemjax.data.drawing.draw import generator
from stemjax.data.drawing.evaluation_pairs import (
    LIVE_DB,
    TRIES,
    EvaluationPair,
    level_db,
)
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import RECORD_SAMPLES, RMS_SAMPLES, SAMPLE_RATE
from stemjax.io.errors import UserError

# first numbers of keys; 6 is that of `data.drawing.evaluation_pairs`
MISMATCHED_STREAM, LABELLED_STREAM = 7, 8
SOUNDING_SHARE = 0.2  # of a clip's tenths of a second, for it to say what plays


class LabelledClip(NamedTuple):
    """One record of one stem."""

    audio: np.ndarray
    """[320000] float32, full scale 1."""
    rate: int
    category: int
    song: str


def mismatched(
    source: Source, pairs: Sequence[EvaluationPair], *, seed: int
) -> list[EvaluationPair | None]:
    """For each pair a real stem of its category from another song, under the pair's id.

    Drawn as targets are: a song, a stem of it and a crop, each uniform, until the crop
    sounds.  It has no context of its own.  None where no other song of the split has
    such a stem.  What a row gets depends on nothing but it and the seed.
    """
    return [_mismatched(source.index(pair.split), pair, seed) for pair in pairs]


def _mismatched(
    table: IndexTable, pair: EvaluationPair, seed: int
) -> EvaluationPair | None:
    song_of = np.repeat(table.segment_song, np.diff(table.stem_offset))
    is_wanted = table.stem_category == CATEGORIES.index(pair.category)
    is_wanted &= song_of != table.songs.index(pair.song)
    is_wanted &= table.stem_rms_db.max(axis=1, initial=-np.inf) > LIVE_DB
    rows = np.flatnonzero(is_wanted)
    if not len(rows):
        return None
    rng = generator(MISMATCHED_STREAM, seed, int(pair.id))
    for attempt in range(1 + TRIES):
        song = rng.choice(np.unique(song_of[rows]))
        row = int(rng.choice(rows[song_of[rows] == song]))
        segment = int(np.searchsorted(table.stem_offset, row, side="right")) - 1
        room = max(0, int(table.segment_samples[segment]) - pair.samples)
        start = int(rng.integers(room + 1))
        if level_db(table, row, row + 1, start, pair.samples)[0] > LIVE_DB:
            return EvaluationPair(
                id=pair.id,
                song=table.songs[song],
                segment=segment,
                start=start,
                samples=pair.samples,
                target=row - int(table.stem_offset[segment]),
                context=(),
                category=pair.category,
                seed=pair.seed,
                redraws=attempt,
                split=pair.split,
                data=pair.data,
            )
    return None


def labelled_clips(
    source: Source, split: str, *, per_category: int, seed: int
) -> Iterator[LabelledClip]:
    """Up to so many clips of each category of a split, in random order within it.

    A clip is a record of 10 s in which the stem sounds for 2 s or more; a shorter
    segment's last one ends in zeros.

    Raises:
      UserError: no stem of a known category sounds in the split.
    """
    table = source.index(split)
    segment_of = np.repeat(
        np.arange(len(table.segment_song)), np.diff(table.stem_offset)
    )
    rows, records = _sounding(table, segment_of)
    if not len(rows):
        raise UserError(f"no labelled stem sounds in the split {split!r}: add songs")
    for category in np.unique(table.stem_category[rows]):
        rng = generator(LABELLED_STREAM, seed, int(category))
        own = np.flatnonzero(table.stem_category[rows] == category)
        for k in rng.permutation(own)[:per_category]:
            segment = int(segment_of[rows[k]])
            start = int(records[k]) * RECORD_SAMPLES
            audio = read_stems(
                source, table, segment, [rows[k]], start, RECORD_SAMPLES
            )[0]
            yield LabelledClip(
                audio.astype(np.float32) / 32_768,
                SAMPLE_RATE,
                int(category),
                table.songs[table.segment_song[segment]],
            )


def _sounding(
    table: IndexTable, segment_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Stems of known categories and their records that sound: rows [K], numbers [K]."""
    frames = RECORD_SAMPLES // RMS_SAMPLES
    count = table.stem_rms_db.shape[1] // frames
    level = table.stem_rms_db[:, : count * frames].reshape(-1, count, frames)
    is_sounding = (level > LIVE_DB).mean(axis=2) >= SOUNDING_SHARE
    is_sounding &= (table.stem_category >= 0)[:, None]
    starts = np.arange(count) * RECORD_SAMPLES
    is_sounding &= starts < table.segment_samples[segment_of][:, None]
    rows, records = np.nonzero(is_sounding)
    return rows, records

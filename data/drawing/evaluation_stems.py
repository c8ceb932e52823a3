"""Real stems beside the evaluation pairs.

Stems of the same category but another song, which cannot fit the context, and labelled
clips of single stems for an instrument classifier.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.config.streams import Stream
from stemjax.config.train import PairConfig
from stemjax.data.drawing.audio import StemSource, read_stems
from stemjax.data.drawing.draw import crop, is_audible_somewhere, mix_db
from stemjax.data.drawing.evaluation_pairs import TRIES, EvaluationPair
from stemjax.data.drawing.redraw import Candidate, candidate, redraw_until_audible
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import (
    RECORD_SAMPLES,
    RMS_SAMPLES,
    SAMPLE_RATE,
)
from stemjax.io.errors import UserError
from stemjax.io.random import generator

AUDIBLE_SHARE = 0.2
"""Least share of a labelled clip's frames of 0.1 s that are audible."""


class LabelledClip(NamedTuple):
    """One record of one stem."""

    audio: np.ndarray
    """[320000] float32, full scale 1."""
    rate: int
    category: int
    song: str


def mismatched(
    source: StemSource, pairs: Sequence[EvaluationPair], *, seed: int
) -> list[EvaluationPair | None]:
    """For each pair a real stem of its category from another song, under the pair's id.

    A song, a stem of it and a crop are each uniform, until the crop is audible as a
    target is (A19).  The context is empty.  None if no other song of the split has such a
    stem.  A row depends on its pair and the seed alone.
    """
    return [_mismatched(source.index(pair.split), pair, seed) for pair in pairs]


def _mismatched(
    table: IndexTable, pair: EvaluationPair, seed: int
) -> EvaluationPair | None:
    song_of = np.repeat(table.segment_song, np.diff(table.stem_offset))
    is_wanted = table.stem_category == CATEGORIES.index(pair.category)
    is_wanted &= song_of != table.songs.index(pair.song)
    pairs = PairConfig(crop_seconds=pair.samples / SAMPLE_RATE)
    rows = np.flatnonzero(is_wanted)
    rows = rows[is_audible_somewhere((table.stem_rms_db[rows],), pairs)]
    if not len(rows):
        return None
    rng = generator(seed, Stream.EXAMPLE_MISMATCHED_STEM, int(pair.id))

    def draw() -> Candidate:
        song = rng.choice(np.unique(song_of[rows]))
        row = int(rng.choice(rows[song_of[rows] == song]))
        segment = int(np.searchsorted(table.stem_offset, row, side="right")) - 1
        start, samples = crop(rng, int(table.segment_samples[segment]), pairs)
        level = mix_db(table, np.array([row]), start, samples)
        return candidate((song, row, segment, start), [level], pairs)

    drawn = redraw_until_audible(draw, TRIES)
    if drawn.is_fallback:
        return None
    song, row, segment, start = drawn.value
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
        redraws=drawn.redraws,
        split=pair.split,
        data=pair.data,
    )


def labelled_clips(
    source: StemSource, split: str, *, per_category: int, seed: int
) -> Iterator[LabelledClip]:
    """Up to `per_category` clips of each category of a split, in random order within it.

    A clip is a record of 10 s of which 2 s or more are audible; the last one of a shorter
    segment is zero-padded.

    Raises:
      UserError: no stem of a known category is audible in the split.
    """
    table = source.index(split)
    segment_of = np.repeat(
        np.arange(len(table.segment_song)), np.diff(table.stem_offset)
    )
    rows, records = _audible_records(table, segment_of)
    if not len(rows):
        raise UserError(f"no labelled stem sounds in the split {split!r}: add songs")
    for category in np.unique(table.stem_category[rows]):
        rng = generator(seed, Stream.EXAMPLE_LABELLED_STEM, int(category))
        candidates = np.flatnonzero(table.stem_category[rows] == category)
        for k in rng.permutation(candidates)[:per_category]:
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


def _audible_records(
    table: IndexTable, segment_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows [K] of labelled stems and numbers [K] of their audible records."""
    frames = RECORD_SAMPLES // RMS_SAMPLES
    count = table.stem_rms_db.shape[1] // frames
    level = table.stem_rms_db[:, : count * frames].reshape(-1, count, frames)
    is_audible = (level > PairConfig().silence_db).mean(axis=2) >= AUDIBLE_SHARE
    is_audible &= (table.stem_category >= 0)[:, None]
    starts = np.arange(count) * RECORD_SAMPLES
    is_audible &= starts < table.segment_samples[segment_of][:, None]
    rows, records = np.nonzero(is_audible)
    return rows, records

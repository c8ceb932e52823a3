"""Evaluation examples as a manifest: stems of songs, one JSON row each.

StemGen, sec. 3.1: a context mix from held-out songs, a random category, and the real stem
of that category as reference.  Target, submix and crop are drawn and accepted as in
training (`data.drawing.draw`).  Each row has its own generator, so the first 400 of 1,000
rows equal the 400 rows of the same seed.
"""

import collections
import dataclasses
import hashlib
import pathlib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.config.numbers import Amount, CheckedNumbers, Seed, whole
from stemjax.config.streams import Stream
from stemjax.config.train import PairConfig
from stemjax.data.drawing.audio import StemSource, common_gain, read_stems
from stemjax.data.drawing.draw import draw_candidate, nothing_to_draw, usable
from stemjax.data.drawing.redraw import Candidate, redraw_until_audible
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import SEGMENT_SAMPLES
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text, parse_json, read_bytes, typed
from stemjax.io.random import generator

TRIES = 50
"""Redraws after which no pair is found."""


@dataclasses.dataclass(frozen=True)
class EvaluationPair(CheckedNumbers):
    """One row of the manifest; stems are numbered within the segment."""

    id: str
    song: str
    segment: Amount
    """Row of the split's index table."""
    start: whole(0, SEGMENT_SAMPLES)
    """First sample of the crop within the segment, at 32 kHz."""
    samples: whole(1, SEGMENT_SAMPLES)
    target: Amount
    context: tuple[Amount, ...]
    """Stems of the submix, ascending."""
    category: str
    seed: Seed
    """Seed of decoding."""
    redraws: int
    split: str
    data: str
    """Content hash of the prepared folder."""

    def __post_init__(self):
        super().__post_init__()
        if self.category not in CATEGORIES or self.split not in SPLITS:
            raise ValueError("an unknown category or split")
        if not re.fullmatch(r"[\w-]+", self.id):
            raise ValueError(f"id {self.id!r} is no word")


def make_pairs(
    source: StemSource, *, split: str, count: int, seed: int, crop_seconds: float
) -> list[EvaluationPair]:
    """The first `count` pairs of (split, seed).

    A song and a segment of it are uniform over those that can give a pair.  The rest is
    `draw_candidate`, as in training (A18, A19).  All is redrawn, up to 50 times, until
    target and context are audible.

    Raises:
      UserError: no song in the split, no segment with two stems that sound, or no crop
        of one in which both are audible.
    """
    table = source.index(split)
    if not table.songs:
        raise UserError(f"no song in the split {split!r}: give another --split")
    pairs = PairConfig(crop_seconds=crop_seconds)
    if not len(usable(table, pairs).segments):
        raise UserError(f"{split}: {nothing_to_draw(pairs)}")
    return [
        _make_pair(table, source.content_hash, split, k, seed, pairs)
        for k in range(count)
    ]


def _make_pair(
    table: IndexTable, data: str, split: str, k: int, seed: int, pairs: PairConfig
) -> EvaluationPair:
    rng = generator(seed, Stream.EXAMPLE_PAIR, k)
    segments, is_target = usable(table, pairs)
    songs = table.segment_song[segments]

    def draw() -> Candidate:
        song = rng.choice(np.unique(songs))
        segment = int(rng.choice(segments[songs == song]))
        tried = draw_candidate(table, is_target, segment, rng, pairs)
        return tried._replace(value=(segment, *tried.value))

    drawn = redraw_until_audible(draw, TRIES)
    if drawn.is_fallback:
        raise UserError(
            f"{TRIES} crops of {pairs.crop_seconds:g} s had no two stems that sound: add"
            " songs or take shorter crops"
        )
    segment, target, context, start, samples = drawn.value
    first = int(table.stem_offset[segment])
    return EvaluationPair(
        id=f"{k:05d}",
        song=table.songs[table.segment_song[segment]],
        segment=segment,
        start=start,
        samples=samples,
        target=target - first,
        context=tuple((context - first).tolist()),
        category=CATEGORIES[table.stem_category[target]],
        seed=int(rng.integers(2**31)),
        redraws=drawn.redraws,
        split=split,
        data=data,
    )


def read_pair(
    source: StemSource, pair: EvaluationPair
) -> tuple[np.ndarray, np.ndarray]:
    """Context mix and real stem of a row, [N] float32 each, with one common gain.

    Raises:
      UserError: the row belongs to another prepared folder.
    """
    if pair.data != source.content_hash:
        raise UserError(
            f"pair {pair.id} is of data {pair.data[:12]}, not {source.content_hash[:12]}:"
            " give the folder the manifest was made from"
        )
    table = source.index(pair.split)
    stem_numbers = (*pair.context, pair.target)
    offsets = table.stem_offset[pair.segment : pair.segment + 2]
    if len(offsets) < 2 or max(stem_numbers) >= offsets[1] - offsets[0]:
        raise UserError(
            f"pair {pair.id} names a segment or stem that the data does not have: make"
            " the manifest again"
        )
    first = int(offsets[0])
    stems = [first + stem for stem in stem_numbers]
    audio = read_stems(source, table, pair.segment, stems, pair.start, pair.samples)
    context = audio[:-1].sum(axis=0, dtype=np.int32)
    target = audio[-1].astype(np.int32)
    scale = common_gain(context, target) / 32_768
    return (context * scale).astype(np.float32), (target * scale).astype(np.float32)


def to_lines(pairs: Iterable[EvaluationPair]) -> str:
    """Text of the manifest: one JSON object a line."""
    return "".join(json_text(dataclasses.asdict(pair)) + "\n" for pair in pairs)


def read_manifest(path: str | pathlib.Path) -> list[EvaluationPair]:
    """The rows of a manifest in the format of `to_lines`.

    Raises:
      UserError: no such file, or a line that is not a row.
    """
    path = pathlib.Path(path)
    mend = "make it with `stemjax evaluate make-manifest`"
    pairs = []
    lines = read_bytes(path, mend=mend).splitlines()
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        row = parse_json(line, where, mend=mend)
        pairs.append(typed(EvaluationPair, row, where, mend=mend))
    if not pairs:
        raise UserError(f"{path}: holds no pair; make the manifest again")
    return pairs


def manifest_hash(pairs: Sequence[EvaluationPair]) -> str:
    """SHA-256 of the rows; results are comparable if they share it."""
    return hashlib.sha256(to_lines(pairs).encode()).hexdigest()


def summary_lines(pairs: Sequence[EvaluationPair], file: str) -> list[str]:
    """Lines to print: the number of pairs of each category, and of songs."""
    counts = collections.Counter(pair.category for pair in pairs)
    redraws = sum(pair.redraws for pair in pairs)
    return [f"{count:6d} {category}" for category, count in sorted(counts.items())] + [
        f"{file}: {len(pairs)} pairs of {len({p.song for p in pairs})} songs,"
        f" {redraws} redraws, manifest {manifest_hash(pairs)[:12]}"
    ]

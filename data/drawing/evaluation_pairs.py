"""Evaluation pairs as a manifest: which stems of which song, one JSON row each.

StemGen, sec. 3.1: a context mix from held-out songs, a random category, and the real stem
of that category as reference.  A row has its own generator, so the first 400 of 1,000
rows are the 400 of the same seed.  Level and silence are judged from the RMS tables.
"""

import collections
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.data.drawing.audio import Source, common_gain, read_stems
from stemjax.data.drawing.draw import generator, submix
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import RMS_SAMPLES, SAMPLE_RATE
from stemjax.io.errors import UserError

EVALUATION_STREAM = (
    6  # first number of a row's key; 0-5 are those of `data.drawing.draw`
)
LIVE_DB = -60.0  # RMS of a stem over the crop
TRIES = 50


@dataclasses.dataclass(frozen=True)
class EvaluationPair:
    """One row; stems are numbers within the segment."""

    id: str
    song: str
    segment: int  # row of the split's index table
    start: int  # first sample of the crop within the segment, at 32 kHz
    samples: int
    target: int
    context: tuple[int, ...]  # ascending
    category: str
    seed: int  # of decoding
    redraws: int
    split: str
    data: str  # content hash of the prepared folder


def make_pairs(
    source: Source, *, split: str, count: int, seed: int, crop_seconds: float
) -> list[EvaluationPair]:
    """The first `count` pairs of (split, seed).

    A song, a segment of it and a crop, each uniform; the target uniform over the stems of
    a known category that sound in it, the context a submix of the other sounding stems
    (A18).  Redrawn, up to 50 times, until there are two such stems.

    Raises:
      UserError: no song in the split, or no crop with two stems that sound.
    """
    table = source.index(split)
    if not table.songs:
        raise UserError(f"no song in the split {split!r}: give another --split")
    return [
        _make_pair(table, source.content_hash, split, k, seed, crop_seconds)
        for k in range(count)
    ]


def _make_pair(
    table: IndexTable, data: str, split: str, k: int, seed: int, crop_seconds: float
) -> EvaluationPair:
    rng = generator(EVALUATION_STREAM, seed, k)
    samples = round(crop_seconds * SAMPLE_RATE)
    for attempt in range(1 + TRIES):
        song = int(rng.integers(len(table.songs)))
        segment = int(rng.choice(np.flatnonzero(table.segment_song == song)))
        room = max(0, int(table.segment_samples[segment]) - samples)
        start = int(rng.integers(room + 1))
        first, last = table.stem_offset[segment : segment + 2]
        live = np.flatnonzero(level_db(table, first, last, start, samples) > LIVE_DB)
        targets = live[table.stem_category[first + live] >= 0]
        if len(live) < 2 or not len(targets):
            continue
        target = int(rng.choice(targets))
        context = submix(rng, live[live != target])
        return EvaluationPair(
            id=f"{k:05d}",
            song=table.songs[song],
            segment=segment,
            start=start,
            samples=samples,
            target=target,
            context=tuple(context.tolist()),
            category=CATEGORIES[table.stem_category[first + target]],
            seed=int(rng.integers(2**31)),
            redraws=attempt,
            split=split,
            data=data,
        )
    raise UserError(
        f"{TRIES} crops of {crop_seconds:g} s had no two stems that sound: add songs or"
        " take shorter crops"
    )


def level_db(
    table: IndexTable, first: int, last: int, start: int, samples: int
) -> np.ndarray:
    """RMS in dB of each stem of a segment over a crop, [last - first]."""
    frames = slice(start // RMS_SAMPLES, -(-(start + samples) // RMS_SAMPLES))
    power = 10 ** (table.stem_rms_db[first:last, frames] / 10)
    return 10 * np.log10(power.mean(axis=1))


def read_pair(source: Source, pair: EvaluationPair) -> tuple[np.ndarray, np.ndarray]:
    """Context mix and real stem of a row: [N] float32 each, with one common gain.

    Raises:
      UserError: the row is of another prepared folder.
    """
    if pair.data != source.content_hash:
        raise UserError(
            f"pair {pair.id} is of data {pair.data[:12]}, not {source.content_hash[:12]}:"
            " give the folder the manifest was made from"
        )
    table = source.index(pair.split)
    first = int(table.stem_offset[pair.segment])
    stems = [first + stem for stem in (*pair.context, pair.target)]
    audio = read_stems(source, table, pair.segment, stems, pair.start, pair.samples)
    context = audio[:-1].sum(axis=0, dtype=np.int32)
    target = audio[-1].astype(np.int32)
    scale = common_gain(context, target) / 32_768
    return (context * scale).astype(np.float32), (target * scale).astype(np.float32)


def to_lines(pairs: Iterable[EvaluationPair]) -> str:
    """The manifest's text: one JSON object a line."""
    return "".join(
        json.dumps(dataclasses.asdict(pair), sort_keys=True) + "\n" for pair in pairs
    )


def read_manifest(path: str | pathlib.Path) -> list[EvaluationPair]:
    """The rows of a file that `to_lines` wrote.

    Raises:
      UserError: no such file, or a line that is no row.
    """
    path = pathlib.Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise UserError(
            f"{path}: no such manifest; make it with `python evaluate.py make-manifest`"
        ) from None
    pairs = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            pairs.append(EvaluationPair(**row | {"context": tuple(row["context"])}))
        except (ValueError, TypeError, KeyError):
            raise UserError(
                f"{path}: line {number} is no evaluation pair; make the manifest again"
            ) from None
    if not pairs:
        raise UserError(f"{path}: holds no pair; make the manifest again")
    return pairs


def manifest_hash(pairs: Sequence[EvaluationPair]) -> str:
    """SHA-256 of the rows: what two results must share to be compared."""
    return hashlib.sha256(to_lines(pairs).encode()).hexdigest()


def about(pairs: Sequence[EvaluationPair], file: str) -> list[str]:
    """Lines for people: how many of each category, and of how many songs."""
    counts = collections.Counter(pair.category for pair in pairs)
    redraws = sum(pair.redraws for pair in pairs)
    return [f"{count:6d} {category}" for category, count in sorted(counts.items())] + [
        f"{file}: {len(pairs)} pairs of {len({p.song for p in pairs})} songs,"
        f" {redraws} redraws, manifest {manifest_hash(pairs)[:12]}"
    ]

"""Every random choice of data: one pure function of (seed, epoch, index).

StemGen, sec. 2 and 3: a random crop, a random submix as context, one other stem as
target, neither of them silent (Assumptions A18, A19).  Philox is keyed by the tuple, so a
draw is the same with and without TensorFlow, on any number of hosts, after any resume.
Silence is judged from the RMS tables; no audio is read.
"""

import dataclasses
import functools

import numpy as np

from data.manifest import IndexTable
from data.segments import RMS_SECONDS, SAMPLE_RATE
from stemjax.config.train import PairConfig

FRAME = round(RMS_SECONDS * SAMPLE_RATE)  # samples of one RMS frame
ORDER_STREAM, PAIR_STREAM = 0, 1  # Philox keys of the epoch's order and of its draws


@dataclasses.dataclass(frozen=True)
class Draw:
    """One (context, target) pair. Stems are row numbers of the index table."""

    song: int
    segment: int
    start: int  # first sample of the crop within the segment
    samples: int
    context: tuple[int, ...]
    target: int
    instrument: int
    redraws: int  # crops that were silent before this one
    is_fallback: bool  # no crop passed: the loudest of those tried


def generator(*key: int) -> np.random.Generator:
    """A generator keyed by a tuple of integers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


@functools.lru_cache(maxsize=8)
def _usable(key: int, table_ref: "_Ref") -> np.ndarray:
    table = table_ref.table
    counts = np.diff(table.stem_offset)
    labelled = np.add.reduceat(table.stem_category >= 0, table.stem_offset[:-1])
    return np.flatnonzero((counts >= 2) & (labelled >= 1))


class _Ref:
    """Makes a table usable as a cache key by identity."""

    def __init__(self, table: IndexTable):
        self.table = table

    def __hash__(self) -> int:
        return id(self.table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Ref) and other.table is self.table


def usable_segments(table: IndexTable) -> np.ndarray:
    """Segments with two stems or more, one of them of a known category: [G'] int."""
    if not len(table.segment_song):
        return np.zeros(0, np.int64)
    return _usable(id(table), _Ref(table))


@functools.lru_cache(maxsize=16)
def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits `count` segments."""
    return generator(ORDER_STREAM, seed, epoch).permutation(count)


def draw(table: IndexTable, seed: int, epoch: int, k: int, pairs: PairConfig) -> Draw:
    """Pair k of an epoch; see the module's head.

    Raises:
      ValueError: no segment of the table can give a pair.
    """
    segments = usable_segments(table)
    if not len(segments):
        raise ValueError("no segment has two stems, one of them of a known category")
    rng = generator(PAIR_STREAM, seed, epoch, k)
    segment = int(segments[epoch_order(len(segments), seed, epoch)[k]])
    first, last = table.stem_offset[segment : segment + 2]
    stems = np.arange(first, last)
    best, best_level = None, -np.inf
    for attempt in range(pairs.tries):
        target = int(rng.choice(stems[table.stem_category[stems] >= 0]))
        context = submix(rng, stems[stems != target])
        start, samples = crop(rng, int(table.segment_samples[segment]), pairs)
        levels = [mix_db(table, c, start, samples) for c in (context, [target])]
        share = min(float(np.mean(x > pairs.silence_db)) for x in levels)
        made = Draw(
            song=int(table.segment_song[segment]),
            segment=segment,
            start=start,
            samples=samples,
            context=tuple(int(c) for c in context),
            target=target,
            instrument=int(table.stem_category[target]),
            redraws=attempt,
            is_fallback=False,
        )
        if share >= pairs.active_fraction:
            return made
        loudness = min(float(np.mean(x)) for x in levels)
        if loudness > best_level:
            best, best_level = made, loudness
    return dataclasses.replace(best, redraws=pairs.tries, is_fallback=True)


def submix(rng: np.random.Generator, others: np.ndarray) -> np.ndarray:
    """A size uniform in 1..len(others), then a uniform subset, ascending (A18)."""
    size = int(rng.integers(1, len(others) + 1))
    return np.sort(rng.choice(others, size, replace=False))


def crop(rng, segment_samples: int, pairs: PairConfig) -> tuple[int, int]:
    """Start and length of a crop; a shorter segment is taken whole, from its start."""
    samples = round(pairs.crop_seconds * SAMPLE_RATE)
    return int(rng.integers(0, max(0, segment_samples - samples) + 1)), samples


def mix_db(table: IndexTable, stems, start: int, samples: int) -> np.ndarray:
    """RMS in dB per 0.1 s of a sum of stems, from the sum of their powers (A19)."""
    frames = slice(start // FRAME, -(-(start + samples) // FRAME))
    power = np.sum(10 ** (table.stem_rms_db[np.asarray(stems), frames] / 10), axis=0)
    missing = frames.stop - frames.start - len(power)
    power = np.pad(power, (0, max(0, missing)), constant_values=1e-12)
    return 10 * np.log10(power)

"""Every random choice of data: one pure function of (seed, epoch, index).

StemGen, sec. 2 and 3: a random crop, a random submix as context, one other stem as
target, neither of them silent (Assumptions A18, A19).  Philox is keyed by the tuple, so a
draw is the same with and without TensorFlow, on any number of hosts, after any resume.
Silence is judged from the RMS tables; no audio is read.  The level of a submix is the
sum of its stems' powers, as if they were uncorrelated.  The gain of a pair needs its
peak, which only the audio has: `data.drawing.pairs` computes it when it mixes.
"""

import dataclasses
import functools

import numpy as np

from stemjax.config.train import PairConfig
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import RMS_SAMPLES, SAMPLE_RATE, SILENCE_DB

# First number of every Philox key: what the stream decides.
ORDER_STREAM, PAIR_STREAM, KIND_STREAM, MIXTURE_STREAM, OTHER_STREAM = range(5)
STORE_STREAM = 5


@dataclasses.dataclass(frozen=True)
class Draw:
    """One (context, target) pair. Stems are row numbers of the index table."""

    song: int
    segment: int
    start: int  # first sample of the crop within the segment
    samples: int  # of the crop; past the segment's end it is zero
    context: tuple[int, ...]  # ascending
    target: int
    instrument: int
    redraws: int  # crops that were silent before this one
    is_fallback: bool  # no crop passed: the loudest of those tried


def generator(*key: int) -> np.random.Generator:
    """A generator keyed by a tuple of integers, none of them negative."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


class ByIdentity:
    """A table as a key of a cache, which keeps the table alive."""

    def __init__(self, table: IndexTable):
        self.table = table

    def __hash__(self) -> int:
        return id(self.table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.table is self.table


@dataclasses.dataclass(frozen=True)
class Usable:
    """What of a table can be drawn.

    segments: [G'] rows of segments that can give a pair.
    is_target: [S] bool, labelled and audible in some crop.
    """

    segments: np.ndarray
    is_target: np.ndarray


def usable(table: IndexTable, pairs: PairConfig) -> Usable:
    """Leave out what no crop can make a pair of.

    That is: segments of fewer than two stems, without a stem of known category, too
    short for `active_fraction` of a crop, or without a crop in which a labelled stem,
    or the sum of the others, passes the silence test.
    """
    return _usable(ByIdentity(table), pairs)


@functools.lru_cache(maxsize=128)
def _usable(cached: ByIdentity, pairs: PairConfig) -> Usable:
    table = cached.table
    power = 10 ** (table.stem_rms_db / 10)
    can_sound = passes_somewhere((table.stem_rms_db,), pairs)
    is_target = can_sound & (table.stem_category >= 0)
    segments = []
    for segment, first in enumerate(table.stem_offset[:-1]):
        stems = slice(first, table.stem_offset[segment + 1])
        targets = np.flatnonzero(is_target[stems])
        if len(targets) and len(power[stems]) > 1:
            # All the others together: without `target` they are the loudest submix.
            others = power[stems].sum(axis=0) - power[stems][targets]
            others_db = 10 * np.log10(np.maximum(others, 10 ** (SILENCE_DB / 10)))
            if passes_somewhere((others_db,), pairs).any():
                segments.append(segment)
    return Usable(np.array(segments, np.int64), is_target)


def passes_somewhere(parts_db: tuple[np.ndarray, ...], pairs: PairConfig) -> np.ndarray:
    """Whether some crop passes the silence test for all parts at once: [n] bool.

    parts_db: [n, F] dB per 0.1 s each; crops start on a frame here.
    """
    frames = max(1, round(pairs.crop_seconds * SAMPLE_RATE) // RMS_SAMPLES)
    passing = True
    for level in parts_db:
        is_active = np.pad(level > pairs.silence_db, ((0, 0), (1, 0)))
        counts = np.cumsum(is_active, axis=1, dtype=np.int32)
        width = min(frames, level.shape[1])
        in_crop = counts[:, width:] - counts[:, : counts.shape[1] - width]
        passing = passing & (in_crop >= pairs.active_fraction * frames)
    return passing.any(axis=1)


@functools.lru_cache(maxsize=64)
def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits `count` segments, each once."""
    return generator(ORDER_STREAM, seed, epoch).permutation(count)


def draw(table: IndexTable, seed: int, epoch: int, k: int, pairs: PairConfig) -> Draw:
    """Pair k of an epoch; k counts the usable segments.

    Raises:
      ValueError: no segment of the table can give a pair.
    """
    segments = usable(table, pairs).segments
    if not len(segments):
        raise ValueError(nothing_to_draw(pairs))
    segment = int(segments[epoch_order(len(segments), seed, epoch)[k]])
    return draw_in(table, segment, generator(PAIR_STREAM, seed, epoch, k), pairs)


def draw_in(
    table: IndexTable, segment: int, rng: np.random.Generator, pairs: PairConfig
) -> Draw:
    """A pair of a given, usable segment."""
    first, last = table.stem_offset[segment : segment + 2]
    stems = np.arange(first, last)
    targets = stems[usable(table, pairs).is_target[first:last]]
    best, best_db = None, -np.inf
    for attempt in range(1 + pairs.tries):
        target = int(rng.choice(targets))
        context = submix(rng, stems[stems != target])
        start, samples = crop(rng, int(table.segment_samples[segment]), pairs)
        levels = [
            mix_db(table, np.asarray(part), start, samples)
            for part in (context, [target])
        ]
        made = Draw(
            song=int(table.segment_song[segment]),
            segment=segment,
            start=start,
            samples=samples,
            context=tuple(context.tolist()),
            target=target,
            instrument=int(table.stem_category[target]),
            redraws=attempt,
            is_fallback=False,
        )
        if passes(levels, pairs):
            return made
        loudness = min(float(np.mean(level)) for level in levels)
        if loudness > best_db:
            best, best_db = made, loudness
    return dataclasses.replace(best, redraws=pairs.tries, is_fallback=True)


def submix(rng: np.random.Generator, others: np.ndarray) -> np.ndarray:
    """A size uniform in 1..len(others), then a uniform subset, ascending (A18)."""
    size = int(rng.integers(1, len(others) + 1))
    return np.sort(rng.choice(others, size, replace=False))


def crop(
    rng: np.random.Generator, segment_samples: int, pairs: PairConfig
) -> tuple[int, int]:
    """Start and length of a crop; a shorter segment is taken whole, from its start."""
    samples = round(pairs.crop_seconds * SAMPLE_RATE)
    return int(rng.integers(0, max(0, segment_samples - samples) + 1)), samples


def mix_db(
    table: IndexTable, stems: np.ndarray, start: int, samples: int
) -> np.ndarray:
    """RMS in dB per 0.1 s of a sum of stems over a crop, from their powers (A19)."""
    frames = slice(start // RMS_SAMPLES, -(-(start + samples) // RMS_SAMPLES))
    power = np.sum(10 ** (table.stem_rms_db[stems, frames] / 10), axis=0)
    missing = frames.stop - frames.start - len(power)
    if missing:  # past the table's end there is nothing but padding
        power = np.append(power, np.full(missing, 10 ** (SILENCE_DB / 10), power.dtype))
    return 10 * np.log10(power)


def passes(levels: list[np.ndarray], pairs: PairConfig) -> bool:
    """The silence test: each part is active in enough of the crop's frames (A19)."""
    return all(
        np.mean(level > pairs.silence_db) >= pairs.active_fraction for level in levels
    )


def nothing_to_draw(pairs: PairConfig) -> str:
    """What a user is told when no segment is usable."""
    least = pairs.active_fraction * pairs.crop_seconds
    return (
        "no segment has two stems that sound, one of them of a known category, for"
        f" {least:g} s or more: add songs, or lower the crop's {pairs.crop_seconds:g} s"
    )


@dataclasses.dataclass(frozen=True)
class Survey:
    """What drawing one epoch of a table does."""

    segments: int
    excluded: int  # segments that can give no pair
    redraws: int
    fallbacks: int  # pairs taken although no try passed


def survey(table: IndexTable, seed: int, epoch: int, pairs: PairConfig) -> Survey:
    """Count exclusions, redraws and fallbacks of an epoch; reads no audio."""
    count = len(usable(table, pairs).segments)
    made = [draw(table, seed, epoch, k, pairs) for k in range(count)]
    return Survey(
        segments=count,
        excluded=len(table.segment_song) - count,
        redraws=sum(d.redraws for d in made),
        fallbacks=sum(d.is_fallback for d in made),
    )

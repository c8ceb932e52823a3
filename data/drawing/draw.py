"""Draws of training pairs, each a pure function of (seed, epoch, index).

StemGen, sec. 2 and 3: a random crop, a random submix as context and one other stem as
target, neither of them silent (Assumptions A18, A19).  Generators are keyed by the tuple,
so a draw is the same with and without TensorFlow, on any number of hosts and after any
resume.  Silence is judged from the RMS tables, without reading audio.  The level of a
submix is the sum of its stems' powers, as if they were uncorrelated.  The gain of a pair
depends on its peak, so `data.drawing.pairs` computes it from the audio.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from stemjax.config.streams import Stream
from stemjax.config.train import PairConfig
from stemjax.data.drawing.redraw import Candidate, candidate, redraw_until_audible
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import RMS_SAMPLES, SAMPLE_RATE, SILENCE_DB
from stemjax.io.random import generator


@dataclasses.dataclass(frozen=True)
class PairDraw:
    """A (context, target) pair of one segment; stems are rows of the index table."""

    song: int
    segment: int
    start: int
    """First sample of the crop within the segment."""
    samples: int
    """Length of the crop; it is zero past the segment's end."""
    context: tuple[int, ...]
    """Stems of the submix, ascending."""
    target: int
    instrument: int
    """Category of the target."""
    redraws: int
    """Silent crops before this one."""
    is_fallback: bool
    """Whether no crop was audible and this is the loudest of those tried."""


class Usable(NamedTuple):
    """The parts of an index table that can give pairs."""

    segments: np.ndarray
    """[G'] rows of segments that can give a pair."""
    is_choice: np.ndarray
    """[S] bool, stems that can be a target; of a token store [D] bool, stored pairs."""


@functools.lru_cache(maxsize=128)
def usable(table: IndexTable, pairs: PairConfig) -> Usable:
    """Segments that can give a pair, and stems that are labelled and audible somewhere.

    Left out are segments with fewer than two stems, without a stem of known category,
    too short for `active_fraction` of a crop, or without a crop in which a labelled stem
    and the sum of the others are audible.
    """
    power = 10 ** (table.stem_rms_db / 10)
    is_target = is_audible_somewhere((table.stem_rms_db,), pairs)
    is_target &= table.stem_category >= 0
    segments = []
    for segment, first in enumerate(table.stem_offset[:-1]):
        stems = slice(first, table.stem_offset[segment + 1])
        targets = np.flatnonzero(is_target[stems])
        if len(targets) and len(power[stems]) > 1:
            # The sum of all others is the loudest submix beside a target.
            others = power[stems].sum(axis=0) - power[stems][targets]
            others_db = 10 * np.log10(np.maximum(others, 10 ** (SILENCE_DB / 10)))
            if is_audible_somewhere((others_db,), pairs).any():
                segments.append(segment)
    return Usable(np.array(segments, np.int64), is_target)


def is_audible_somewhere(
    parts_db: tuple[np.ndarray, ...], pairs: PairConfig
) -> np.ndarray:
    """Whether all parts are audible in one and the same crop: [n] bool.

    parts_db: [n, F] dB per 0.1 s for each part; crops start on a frame here.
    """
    frames = max(1, round(pairs.crop_seconds * SAMPLE_RATE) // RMS_SAMPLES)
    is_audible = True
    for level in parts_db:
        is_active = np.pad(level > pairs.silence_db, ((0, 0), (1, 0)))
        counts = np.cumsum(is_active, axis=1, dtype=np.int32)
        width = min(frames, level.shape[1])
        in_crop = counts[:, width:] - counts[:, : counts.shape[1] - width]
        is_audible = is_audible & (in_crop >= pairs.active_fraction * frames)
    return is_audible.any(axis=1)


@functools.lru_cache(maxsize=64)
def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits `count` segments, each once: [count]."""
    return generator(seed, Stream.DATA_ORDER, epoch).permutation(count)


def draw_candidate(
    table: IndexTable,
    is_target: np.ndarray,
    segment: int,
    rng: np.random.Generator,
    pairs: PairConfig,
) -> Candidate:
    """One try at a pair of a usable segment, of training and of evaluation alike.

    The target is uniform over the segment's choices, the context a submix of the other
    stems (A18), the crop uniform.  It is audible if target and context are (A19).

    Args:
      is_target: [S] bool, `Usable.is_choice`.

    Returns:
      A candidate of (target, context, start, samples); stems are rows of the table.
    """
    first, last = table.stem_offset[segment : segment + 2]
    stems = np.arange(first, last)
    target = int(rng.choice(stems[is_target[first:last]]))
    context = submix(rng, stems[stems != target])
    start, samples = crop(rng, int(table.segment_samples[segment]), pairs)
    parts = (context, np.array([target]))
    levels = [mix_db(table, part, start, samples) for part in parts]
    return candidate((target, context, start, samples), levels, pairs)


def draw_pair(
    table: IndexTable,
    is_target: np.ndarray,
    segment: int,
    rng: np.random.Generator,
    pairs: PairConfig,
) -> PairDraw:
    """A pair of a usable segment.

    is_target: [S] bool, `Usable.is_choice`.
    """
    drawn = redraw_until_audible(
        lambda: draw_candidate(table, is_target, segment, rng, pairs), pairs.tries
    )
    target, context, start, samples = drawn.value
    return PairDraw(
        song=int(table.segment_song[segment]),
        segment=segment,
        start=start,
        samples=samples,
        context=tuple(context.tolist()),
        target=target,
        instrument=int(table.stem_category[target]),
        redraws=drawn.redraws,
        is_fallback=drawn.is_fallback,
    )


def submix(rng: np.random.Generator, others: np.ndarray) -> np.ndarray:
    """A uniform subset, ascending, of a size uniform in 1..len(others) (A18)."""
    size = int(rng.integers(1, len(others) + 1))
    return np.sort(rng.choice(others, size, replace=False))


def crop(
    rng: np.random.Generator, segment_samples: int, pairs: PairConfig
) -> tuple[int, int]:
    """Start and length of a crop in samples; one of a shorter segment starts at 0."""
    samples = round(pairs.crop_seconds * SAMPLE_RATE)
    return int(rng.integers(0, max(0, segment_samples - samples) + 1)), samples


def mix_db(
    table: IndexTable, stems: np.ndarray, start: int, samples: int
) -> np.ndarray:
    """Level of a sum of stems over a crop, [F] dB per 0.1 s, from their powers (A19)."""
    frames = slice(start // RMS_SAMPLES, -(-(start + samples) // RMS_SAMPLES))
    power = np.sum(10 ** (table.stem_rms_db[stems, frames] / 10), axis=0)
    missing = frames.stop - frames.start - len(power)
    if missing:  # padding past the table's end
        power = np.append(power, np.full(missing, 10 ** (SILENCE_DB / 10), power.dtype))
    return 10 * np.log10(power)


def nothing_to_draw(pairs: PairConfig) -> str:
    """Error message for data without a usable segment."""
    least = pairs.active_fraction * pairs.crop_seconds
    return (
        "no segment has two stems that sound, one of them of a known category, for"
        f" {least:g} s or more: add songs, or lower the crop's {pairs.crop_seconds:g} s"
    )

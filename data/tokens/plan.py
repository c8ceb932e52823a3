"""Plan of a token store: K random pairs of every segment, as unique submixes.

The rules are those of `data.drawing.draw` (StemGen, sec. 3; Assumptions A18, A19) on whole
segments: a target among the labelled stems, a random submix of the others, and some
crop in which both are audible.
"""

import dataclasses

import numpy as np

from stemjax.config.streams import Stream
from stemjax.config.train import PairConfig
from stemjax.data.drawing.audio import StemSource, common_gain, read_stems, to_int16
from stemjax.data.drawing.draw import is_audible_somewhere, submix, usable
from stemjax.data.drawing.prefetch import in_threads
from stemjax.data.drawing.redraw import Candidate, quietest, redraw_until_audible
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import rms_tenths
from stemjax.data.tokens.store import TokenStore
from stemjax.io.random import generator


@dataclasses.dataclass(frozen=True)
class Entry:
    """A submix of a whole segment."""

    split: str
    segment: int
    """Row of the split's index table."""
    stems: tuple[int, ...]
    """Rows of the split's index table, ascending."""
    gain: float


@dataclasses.dataclass(frozen=True)
class StoredPair:
    """Context and target as numbers of entries."""

    context: int
    target: int
    instrument: int


@dataclasses.dataclass(frozen=True)
class SegmentPlan:
    """Mixes and pairs of one segment; entries are numbered within the segment."""

    segment: int
    """Row of the split's index table."""
    song: int
    samples: int
    entries: tuple[Entry, ...]
    pairs: tuple[StoredPair, ...]
    rms: np.ndarray
    """[entries, 600] int16, tenths of dB per 0.1 s of each mix."""


def plan(
    source: StemSource, draws_per_segment: int, seed: int, pairs: PairConfig
) -> dict[str, list[SegmentPlan]]:
    """Every usable segment of every split, in order; reads the audio for the gains."""
    planned = {}
    for number, split in enumerate(SPLITS):
        table = source.index(split)
        segments, is_target = usable(table, pairs)

        def segment_plan(
            segment: int, *, table=table, is_target=is_target, number=number
        ):
            draws = []
            for j in range(draws_per_segment):
                rng = generator(seed, Stream.DATA_TOKEN_STORE, number, segment, j)
                draws.append(_draw_submix(table, is_target, segment, rng, pairs))
            return _plan_segment(source, table, SPLITS[number], segment, draws)

        planned[split] = list(in_threads(segment_plan, segments.tolist()))
    return planned


def _draw_submix(
    table: IndexTable,
    is_target: np.ndarray,
    segment: int,
    rng: np.random.Generator,
    pairs: PairConfig,
) -> tuple[tuple[int, ...], int]:
    """(context stems, target) of a whole segment with a crop in which both are audible.

    Without one, the pair that is loudest on average.
    """
    first, last = table.stem_offset[segment : segment + 2]
    stems = np.arange(first, last)
    targets = stems[is_target[first:last]]

    def draw() -> Candidate:
        target = int(rng.choice(targets))
        context = submix(rng, stems[stems != target])
        power = 10 ** (table.stem_rms_db[context] / 10)
        levels = (
            10 * np.log10(power.sum(axis=0, keepdims=True)),
            table.stem_rms_db[target : target + 1],
        )
        is_audible = is_audible_somewhere(levels, pairs)[0]
        return Candidate(
            (tuple(context.tolist()), target), is_audible, quietest(levels)
        )

    return redraw_until_audible(draw, pairs.tries).value


def _plan_segment(
    source: StemSource,
    table: IndexTable,
    split: str,
    segment: int,
    draws: list[tuple[tuple[int, ...], int]],
) -> SegmentPlan:
    """Gains, unique mixes and levels of a segment's draws."""
    samples = int(table.segment_samples[segment])
    first, last = (int(x) for x in table.stem_offset[segment : segment + 2])
    audio = read_stems(source, table, segment, range(first, last), 0, samples)
    numbers: dict[Entry, int] = {}
    pairs, levels = [], []

    def number_of(stems: tuple[int, ...], mix: np.ndarray, gain: float) -> int:
        entry = Entry(split, segment, stems, gain)
        if entry not in numbers:
            numbers[entry] = len(numbers)
            levels.append(rms_tenths(to_int16(mix, gain)))
        return numbers[entry]

    for context, target in draws:
        context_mix = audio[np.array(context) - first].sum(axis=0, dtype=np.int32)
        target_mix = audio[target - first].astype(np.int32)
        gain = common_gain(context_mix, target_mix)
        pairs.append(
            StoredPair(
                context=number_of(context, context_mix, gain),
                target=number_of((target,), target_mix, gain),
                instrument=int(table.stem_category[target]),
            )
        )
    return SegmentPlan(
        segment=segment,
        song=int(table.segment_song[segment]),
        samples=samples,
        entries=tuple(numbers),
        pairs=tuple(pairs),
        rms=np.array(levels),
    )


def mix_audio(
    source: StemSource, entry: Entry, samples: int | None = None
) -> np.ndarray:
    """Audio of an entry, int16 [samples], zero-padded; None: the segment's length."""
    table = source.index(entry.split)
    if samples is None:
        samples = int(table.segment_samples[entry.segment])
    stems = read_stems(source, table, entry.segment, entry.stems, 0, samples)
    return to_int16(stems.sum(axis=0, dtype=np.int32), entry.gain)


def to_arrays(planned: dict[str, list[SegmentPlan]], hop: int) -> dict[str, np.ndarray]:
    """Arrays of a store's index (`data.tokens.format`), entries numbered consecutively.

    hop: samples per frame.
    """
    segments = [segment for split in SPLITS for segment in planned[split]]
    entries = [entry for segment in segments for entry in segment.entries]
    stored = [pair for segment in segments for pair in segment.pairs]
    sizes = [len(segment.entries) for segment in segments]
    base = np.repeat(
        np.cumsum([0, *sizes])[:-1], [len(segment.pairs) for segment in segments]
    ).astype(np.int32)

    def column(values: list, dtype: type) -> np.ndarray:
        return np.array(values, dtype)

    return {
        "segment_row": column([s.segment for s in segments], np.int32),
        "segment_song": column([s.song for s in segments], np.int32),
        "segment_frames": column([-(-s.samples // hop) for s in segments], np.int32),
        "draw_offset": np.cumsum(
            [0] + [len(s.pairs) for s in segments], dtype=np.int32
        ),
        "draw_context": base + column([p.context for p in stored], np.int32),
        "draw_target": base + column([p.target for p in stored], np.int32),
        "draw_instrument": column([p.instrument for p in stored], np.int32),
        "entry_segment": np.repeat(np.arange(len(segments), dtype=np.int32), sizes),
        "entry_gain": column([e.gain for e in entries], np.float64),
        "entry_rms": np.concatenate([s.rms for s in segments]),
        "stem_offset": np.cumsum([0] + [len(e.stems) for e in entries], dtype=np.int64),
        "stem": column([stem for e in entries for stem in e.stems], np.int32),
    }


def stored_entries(store: TokenStore) -> list[Entry]:
    """The submix of each entry of a store; `mix_audio` makes its audio."""
    arrays, splits = store.index_arrays, store.manifest["splits"]
    split_of = [split for split in SPLITS for _ in range(splits[split]["segments"])]
    entries = []
    for number, segment in enumerate(arrays["entry_segment"].tolist()):
        first, last = arrays["stem_offset"][number : number + 2]
        entries.append(
            Entry(
                split=split_of[segment],
                segment=int(arrays["segment_row"][segment]),
                stems=tuple(arrays["stem"][first:last].tolist()),
                gain=float(arrays["entry_gain"][number]),
            )
        )
    return entries

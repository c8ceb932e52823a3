"""`python -m data.diversity`: what fixed draws of a token store cost in variety.

Online, every visit of a segment draws a new submix and target; a store holds K of them
per segment.  Both are drawn here as in training, from the tables of levels alone: no
audio is read and nothing is encoded.  A combination is (segment, stems of the context,
target); crops vary alike in both and are not counted.
"""

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from data.draw import STORE_STREAM, draw, generator, mix_db, usable
from data.errors import DataError
from data.layouts.song import SPLITS
from data.manifest import IndexTable
from data.segments import RMS_SAMPLES, SAMPLE_RATE
from data.spec import open_audio
from data.token_draw import TokenTable, token_draw, usable_segments
from data.token_plan import whole_draw
from stemjax.config.train import PairConfig

_HOP = RMS_SAMPLES  # frames of 0.1 s: what is counted does not depend on a codec's hop

Combination = tuple[int, tuple[int, ...], int]  # segment, context stems, target
Visit = Callable[[int, int], Combination]  # epoch, k


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiversityArgs:
    """Count the combinations that training meets, online and with K stored draws."""

    data: str
    """Prepared folder."""
    draws: tuple[int, ...] = (1, 2, 4, 8, 16)
    """K of the stores to compare."""
    epochs: tuple[int, ...] = (1, 10, 100)
    """After how many passes to count."""
    split: str = "train"
    seed: int = 0
    crop_seconds: float = 20.0


@dataclasses.dataclass(frozen=True)
class Seen:
    """What some epochs of draws met.

    distinct: combinations, each counted once.  draws: how many were made.
    """

    distinct: int
    draws: int

    @property
    def repeats(self) -> float:
        """Share of draws that had been met before."""
        return 1 - self.distinct / self.draws


def possible(table: IndexTable, pairs: PairConfig) -> list[int]:
    """Combinations of each usable segment, silent ones among them."""
    can = usable(table, pairs)
    counts = []
    for segment in can.segments:
        first, last = table.stem_offset[segment : segment + 2]
        contexts = 2 ** (int(last - first) - 1) - 1
        counts.append(int(can.is_target[first:last].sum()) * contexts)
    return counts


def online(table: IndexTable, seed: int, pairs: PairConfig) -> Visit:
    """Draws of training from audio."""

    def visit(epoch: int, k: int) -> Combination:
        made = draw(table, seed, epoch, k, pairs)
        return made.segment, made.context, made.target

    return visit


def stored(
    table: IndexTable,
    draws_per_segment: int,
    seed: int,
    pairs: PairConfig,
    split: str = "train",
) -> tuple[Visit, int]:
    """Draws of training from a store of K draws, and how many segments it can draw.

    The levels of a mix are the sum of its stems' powers here, those of its audio in a
    store: which draws count as silent may differ in rare cases.
    """
    plan, combinations = _plan(table, draws_per_segment, seed, pairs, split)

    def visit(epoch: int, k: int) -> Combination:
        made = token_draw(plan, seed, epoch, k, pairs)
        return combinations[made.context, made.target]

    return visit, len(usable_segments(plan, pairs))


def _plan(
    table: IndexTable, draws_per_segment: int, seed: int, pairs: PairConfig, split: str
) -> tuple[TokenTable, dict[tuple[int, int], Combination]]:
    """The store's table, and what a pair of its entries is."""
    entries: dict[tuple[int, tuple[int, ...]], int] = {}
    combinations, columns, levels = {}, [], []
    segments = usable(table, pairs).segments.tolist()
    for segment in segments:
        for number in range(draws_per_segment):
            key = (STORE_STREAM, seed, SPLITS.index(split), segment, number)
            context, target = whole_draw(table, segment, generator(*key), pairs)
            pair = []
            for stems in (context, (target,)):
                if (segment, stems) not in entries:
                    entries[segment, stems] = len(entries)
                    samples = table.stem_rms_db.shape[1] * RMS_SAMPLES
                    db = mix_db(table, np.array(stems), 0, samples)
                    levels.append(np.round(10 * db).astype(np.int16))
                pair.append(entries[segment, stems])
            combinations[tuple(pair)] = (segment, context, target)
            columns.append((*pair, table.stem_category[target]))
    pairs_of = np.array(columns, np.int32).reshape(-1, 3)
    counts = np.arange(len(segments) + 1, dtype=np.int32)
    plan = TokenTable(
        songs=table.songs,
        segment_song=table.segment_song[segments],
        segment_frames=-(-table.segment_samples[segments] // _HOP),
        draw_offset=counts * draws_per_segment,
        draw_context=pairs_of[:, 0],
        draw_target=pairs_of[:, 1],
        draw_instrument=pairs_of[:, 2],
        entry_rms=np.array(levels),
        sample_rate=SAMPLE_RATE,
        hop=_HOP,
        is_padded=True,
    )
    return plan, combinations


def count(visit: Visit, segments: int, epochs: Sequence[int]) -> Iterator[Seen]:
    """What is met within the first n epochs, for n in `epochs` (ascending)."""
    met: set[Combination] = set()
    done = 0
    for wanted in epochs:
        for epoch in range(done, wanted):
            met.update(visit(epoch, k) for k in range(segments))
        done = wanted
        yield Seen(len(met), wanted * segments)


def report(args: DiversityArgs) -> str:
    """The table, as Markdown.

    Raises:
      DataError: nothing can be drawn, or numbers that mean nothing.
    """
    if min(*args.draws, *args.epochs, 1) < 1:
        raise DataError("--draws and --epochs must be 1 or more")
    pairs = PairConfig(crop_seconds=args.crop_seconds)
    table = open_audio(args.data).index(args.split)
    counts, epochs = possible(table, pairs), sorted(args.epochs)
    if not counts:
        raise DataError(f"{args.data}: nothing to draw in {args.split}")
    sources: list[tuple[str, Visit, int]] = [
        ("online", online(table, args.seed, pairs), len(counts))
    ]
    for k in sorted(args.draws, reverse=True):
        made = stored(table, k, args.seed, pairs, args.split)
        sources.append((f"K = {k}", *made))
    lines = [
        f"{len(counts)} segments; combinations of a segment: median"
        f" {math.floor(np.median(counts))}, least {min(counts)}, most {max(counts)}",
        "",
        _row(["pairs", *(f"{n} epochs: met, repeats" for n in epochs)]),
        _row(["---"] * (1 + len(epochs))),
    ]
    for name, visit, segments in sources:
        cells = [
            f"{seen.distinct / segments:.2f} a segment, {seen.repeats:.0%}"
            for seen in count(visit, segments, epochs)
        ]
        lines.append(_row([name, *cells]))
    return "\n".join(lines)


def _row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Parse, count, print; bad input is one line and exit 2."""
    import tyro

    args = tyro.cli(DiversityArgs, prog="python -m data.diversity")
    try:
        print(report(args))
    except DataError as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()

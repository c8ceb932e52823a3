"""Training and evaluation examples of a pool, for audio pairs and for token pairs.

The two differ in how a pair is drawn and read (`PairKind`), not in what a batch holds.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from stemjax.data.drawing.batches import Batch, MakeExample, finite
from stemjax.data.drawing.mixture import Pool, SegmentDraw


class PairKind(NamedTuple):
    """Functions that draw and read pairs of one kind."""

    draw: Callable[[Any, np.ndarray, int, np.random.Generator], Any]
    """(table, is_choice, segment, rng) -> a drawn pair with `song` and `instrument`."""
    read: Callable[[Any, Any, Any], tuple[np.ndarray, np.ndarray]]
    """(source, table, drawn pair) -> (context, target) arrays."""
    suffix: str
    """End of the arrays' names in a batch."""

    def draw_in(self, place: SegmentDraw) -> Any:
        """A pair of a drawn segment."""
        member = place.member
        return self.draw(
            member.table, member.usable.is_choice, place.segment, place.rng
        )

    def read_from(self, place: SegmentDraw, pair: Any) -> tuple[np.ndarray, np.ndarray]:
        """Context and target of a drawn pair."""
        return self.read(place.member.source, place.member.table, pair)


def training_example(pool: Pool, kind: PairKind) -> MakeExample:
    """Example by index: context, target and instrument [] int32."""

    def make(index: int) -> Batch:
        place = pool.draw_segment(index)
        return _arrays(kind, place, kind.draw_in(place))

    return make


def _arrays(kind: PairKind, place: SegmentDraw, pair: Any) -> Batch:
    context, target = kind.read_from(place, pair)
    return {
        f"context{kind.suffix}": context,
        f"target{kind.suffix}": target,
        "instrument": np.int32(pair.instrument),
    }


def evaluation_batches(pool: Pool, kind: PairKind, **settings) -> Iterator[Batch]:
    """Training examples with `song` and the context of another song's pair.

    `other_context` is absent if the pool has one song only.

    Args:
      settings: those of `data.drawing.batches.finite`.
    """

    def make(index: int) -> Batch:
        place = pool.draw_segment(index)
        pair = kind.draw_in(place)
        song = place.member.first_song + pair.song
        example = _arrays(kind, place, pair) | {"song": np.int32(song)}
        if pool.has_other_songs:
            other = pool.draw_other_song(index, song)
            context, _ = kind.read_from(other, kind.draw_in(other))
            example[f"other_context{kind.suffix}"] = context
        return example

    return finite(make, **settings)

"""Training and evaluation examples of a pool, whatever a pair is made of.

Audio pairs and token pairs differ in how they are drawn and read, not in what a batch
holds: `PairKind` is the difference.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from stemjax.data.drawing.batches import Batch, Row, finite
from stemjax.data.drawing.mixture import Pool


class PairKind(NamedTuple):
    """How pairs of one kind come about. A drawn pair has `song` and `instrument`.

    draw: (table, seed, epoch, k) -> a drawn pair.
    draw_in: (table, segment, rng) -> a drawn pair of that segment.
    read: (source, table, drawn) -> (context, target) arrays.
    suffix: of the arrays' names in a batch.
    """

    draw: Callable[[Any, int, int, int], Any]
    draw_in: Callable[[Any, int, np.random.Generator], Any]
    read: Callable[[Any, Any, Any], tuple[np.ndarray, np.ndarray]]
    suffix: str


def training_row(pool: Pool, kind: PairKind) -> Row:
    """Example by number: context, target, instrument [] int32."""

    def row(index: int) -> Batch:
        source, epoch, k = pool.place(index)
        member = pool.members[source]
        made = kind.draw(member.table, pool.seed, epoch, k)
        context, target = kind.read(member.source, member.table, made)
        return {
            f"context{kind.suffix}": context,
            f"target{kind.suffix}": target,
            "instrument": np.int32(made.instrument),
        }

    return row


def evaluation_row(pool: Pool, kind: PairKind) -> Row:
    """A training example with its `song` and the context of another song's pair.

    `other_context` is left out when the pool holds one song only.
    """
    plain = training_row(pool, kind)

    def row(index: int) -> Batch:
        source, epoch, k = pool.place(index)
        member = pool.members[source]
        song = kind.draw(member.table, pool.seed, epoch, k).song
        extra: Batch = {"song": np.int32(member.first_song + song)}
        if pool.has_other_songs:
            source, segment, rng = pool.other_song(index, source, song)
            member = pool.members[source]
            other = kind.draw_in(member.table, segment, rng)
            context, _ = kind.read(member.source, member.table, other)
            extra[f"other_context{kind.suffix}"] = context
        return plain(index) | extra

    return row


def evaluation_batches(pool: Pool, kind: PairKind, **settings) -> Iterator[Batch]:
    """`data.drawing.batches.finite` of `evaluation_row`."""
    return finite(evaluation_row(pool, kind), **settings)

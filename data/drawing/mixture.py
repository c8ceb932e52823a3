"""Weighted mixtures of data sets, and the segment that each example is drawn from.

Serves prepared folders and token stores alike: any source with `index(split)` whose table
has `songs` and `segment_song`.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.streams import Stream
from stemjax.data.drawing.draw import Usable, epoch_order
from stemjax.io.errors import UserError
from stemjax.io.random import generator


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Data sets that are drawn from in proportion to their weights."""

    sources: tuple[Any, ...]
    weights: tuple[float, ...]
    """Positive; they need not sum to 1."""

    def __post_init__(self):
        if len(self.sources) != len(self.weights) or not self.sources:
            raise UserError(
                f"{len(self.sources)} data sets need as many weights,"
                f" got {len(self.weights)}"
            )
        if not all(0 < weight < float("inf") for weight in self.weights):
            raise UserError(f"weights of data sets must be positive: {self.weights}")

    @property
    def content_hash(self) -> str:
        """SHA-256 of the sources' content and the weights."""
        parts = [
            f"{source.content_hash}={weight!r}"
            for source, weight in zip(self.sources, self.weights, strict=True)
        ]
        return hashlib.sha256(",".join(parts).encode()).hexdigest()


class Place(NamedTuple):
    """Position of an example within its pool."""

    source: int
    """Index of the pool's member."""
    epoch: int
    k: int
    """Index within the epoch."""


class PoolMember(NamedTuple):
    """A source that has usable segments in the pool's split."""

    source: Any
    table: Any
    usable: Usable
    first_song: int
    """Number of its first song; the songs of a pool are numbered consecutively."""


class SegmentDraw(NamedTuple):
    """The segment of an example, and the generator that draws its pair."""

    member: PoolMember
    segment: int
    rng: np.random.Generator


class Pool:
    """One split of a source or of a mixture.

    Args:
      find_usable: table -> `Usable`.
      message: the error message if nothing is usable.

    Raises:
      UserError: nothing is usable.
    """

    def __init__(
        self,
        data: Any,
        split: str,
        seed: int,
        find_usable: Callable[[Any], Usable],
        message: str,
    ):
        mixture = data if isinstance(data, Mixture) else Mixture((data,), (1.0,))
        self.seed = seed
        self.members: list[PoolMember] = []
        weights, songs = [], 0
        for source, weight in zip(mixture.sources, mixture.weights, strict=True):
            table = source.index(split)
            usable = find_usable(table)
            if len(usable.segments):
                self.members.append(PoolMember(source, table, usable, songs))
                weights.append(weight)
            songs += len(table.songs)
        if not self.members:
            raise UserError(f"{split}: {message}")
        self._bounds = np.cumsum(weights) / np.sum(weights)

    def place(self, index: int) -> Place:
        """Member, epoch and index within the epoch of an example.

        A source visits each segment once an epoch.  In a mixture `index` counts the
        examples of all sources and each example draws its source, so a source skips the
        indices of the others: within an epoch it visits a segment at most once.
        """
        number = 0
        if len(self.members) > 1:
            u = generator(self.seed, Stream.DATA_MIXTURE, index).random()
            number = int(np.searchsorted(self._bounds[:-1], u, side="right"))
        return Place(number, *divmod(index, len(self.members[number].usable.segments)))

    def draw_segment(self, index: int) -> SegmentDraw:
        """The segment of an example."""
        number, epoch, k = self.place(index)
        member = self.members[number]
        segments = member.usable.segments
        segment = int(segments[epoch_order(len(segments), self.seed, epoch)[k]])
        rng = generator(self.seed, Stream.DATA_PAIR, epoch, k)
        return SegmentDraw(member, segment, rng)

    def draw_other_song(self, index: int, song: int) -> SegmentDraw:
        """A segment of another song than `song`, which example `index` is drawn from.

        Uniform over the pool's usable segments of other songs.  Requires
        `has_other_songs`.

        Args:
          song: number within the pool.
        """
        rng = generator(self.seed, Stream.DATA_OTHER_SONG, index)
        members, segments, songs = self._all_segments
        (choices,) = np.nonzero(songs != song)
        choice = int(rng.choice(choices))
        return SegmentDraw(self.members[members[choice]], int(segments[choice]), rng)

    @functools.cached_property
    def has_other_songs(self) -> bool:
        """Whether the pool has two or more songs."""
        return len(np.unique(self._all_segments[2])) > 1

    @functools.cached_property
    def _all_segments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Member, segment and song number of every usable segment, [n] each."""
        parts = [
            np.stack(
                [
                    np.full(len(m.usable.segments), number),
                    m.usable.segments,
                    m.first_song + m.table.segment_song[m.usable.segments],
                ]
            )
            for number, m in enumerate(self.members)
        ]
        return tuple(np.concatenate(parts, axis=1))

"""Data sets mixed with weights, and where in them an example comes from.

Works on prepared folders and on token stores alike: anything with `index(split)` whose
table has `songs` and `segment_song`.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from stemjax.data.drawing.draw import MIXTURE_STREAM, OTHER_STREAM, generator
from stemjax.io.errors import UserError


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Sources and how often each is drawn from; the weights need not sum to 1."""

    sources: tuple[Any, ...]
    weights: tuple[float, ...]

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
        """Names the content and the weights."""
        parts = [
            f"{source.content_hash}={weight!r}"
            for source, weight in zip(self.sources, self.weights, strict=True)
        ]
        return hashlib.sha256(",".join(parts).encode()).hexdigest()


class Place(NamedTuple):
    """Where example number `index` is drawn."""

    source: int  # number within the pool
    epoch: int
    k: int  # index within the epoch


class Member(NamedTuple):
    """A source that has something to draw in the split."""

    source: Any
    table: Any
    segments: np.ndarray  # [G'] usable rows of the table
    first_song: int  # songs of a pool are numbered through


class Pool:
    """One split of a source or of a mixture.

    usable: table -> [G'] rows of the segments that can be drawn.

    Raises:
      UserError: nothing can be drawn; `why` says so.
    """

    def __init__(
        self,
        data: Any,
        split: str,
        seed: int,
        usable: Callable[[Any], np.ndarray],
        why: str,
    ):
        mixture = data if isinstance(data, Mixture) else Mixture((data,), (1.0,))
        self.seed = seed
        self.members: list[Member] = []
        weights, songs = [], 0
        for source, weight in zip(mixture.sources, mixture.weights, strict=True):
            table = source.index(split)
            segments = usable(table)
            if len(segments):
                self.members.append(Member(source, table, segments, songs))
                weights.append(weight)
            songs += len(table.songs)
        if not self.members:
            raise UserError(f"{split}: {why}")
        self._bounds = np.cumsum(weights) / np.sum(weights)

    def place(self, index: int) -> Place:
        """Source, epoch and k of an example.

        A source visits each segment once an epoch.  In a mixture `index` counts the
        examples of all sources and the source is drawn for each, so a source passes
        over the indices of the others: within an epoch a segment comes at most once.
        """
        number = 0
        if len(self.members) > 1:
            u = generator(MIXTURE_STREAM, self.seed, index).random()
            number = int(np.searchsorted(self._bounds[:-1], u, side="right"))
        return Place(number, *divmod(index, len(self.members[number].segments)))

    def other_song(
        self, index: int, source: int, song: int
    ) -> tuple[int, int, np.random.Generator]:
        """A segment of another song than example `index`'s: (source, segment, rng).

        Uniform over the pool's usable segments of other songs; the generator goes on
        to draw the pair.  Call only when `has_other_songs`.
        """
        rng = generator(OTHER_STREAM, self.seed, index)
        own = self.members[source].first_song + song
        sources, segments, songs = self._all_segments
        (choices,) = np.nonzero(songs != own)
        choice = int(rng.choice(choices))
        return int(sources[choice]), int(segments[choice]), rng

    @functools.cached_property
    def has_other_songs(self) -> bool:
        """Whether the pool holds two songs or more."""
        return len(np.unique(self._all_segments[2])) > 1

    @functools.cached_property
    def _all_segments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Source number, segment and song number of every usable segment."""
        parts = [
            np.stack(
                [
                    np.full(len(m.segments), number),
                    m.segments,
                    m.first_song + m.table.segment_song[m.segments],
                ]
            )
            for number, m in enumerate(self.members)
        ]
        return tuple(np.concatenate(parts, axis=1))

"""Draws of pairs from a token store: a stored submix and a crop in frames.

Same generators and same test of silence as `data.drawing.draw`, on the RMS tables of the
stored mixes (StemGen, sec. 3; Assumptions A18, A19).
"""

import dataclasses
import functools

import numpy as np

from stemjax.config.train import PairConfig
from stemjax.data.drawing.draw import Usable, is_audible_somewhere
from stemjax.data.drawing.redraw import Candidate, candidate, redraw_until_audible
from stemjax.data.tokens.format import LEVELS_PER_SECOND

_PAIRS_AT_ONCE = 1 << 14  # pairs whose levels are read together: 40 MB a part


@dataclasses.dataclass(frozen=True, eq=False)  # compared and hashed by identity
class TokenTable:
    """One split of a token store: G segments, D stored pairs, E mixes, F RMS frames."""

    songs: tuple[str, ...]
    """Ids of the split's songs."""
    segment_song: np.ndarray
    """[G] int32, index into `songs`."""
    segment_frames: np.ndarray
    """[G] int32, codec frames without padding."""
    draw_offset: np.ndarray
    """[G + 1] int32; segment g has the pairs draw_offset[g]:draw_offset[g + 1]."""
    draw_context: np.ndarray
    """[D] int32, entries of the store."""
    draw_target: np.ndarray
    """[D] int32, entries of the store."""
    draw_instrument: np.ndarray
    """[D] int32, category of the target."""
    entry_rms: np.ndarray | None
    """[E, F] int16, tenths of dB per 0.1 s, of the whole store; None: levels are unknown
    and every frame counts as audible."""
    sample_rate: int
    """Hz."""
    hop: int
    """Samples per codec frame."""
    is_padded: bool
    """Whether codes past `segment_frames` are those of silence and may be drawn."""


@dataclasses.dataclass(frozen=True)
class TokenDraw:
    """A (context, target) pair of a store, as entries and a range of frames."""

    song: int
    segment: int
    start: int
    """First frame of the crop."""
    frames: int
    context: int
    target: int
    instrument: int
    redraws: int
    is_fallback: bool
    """Whether no crop was audible and this is the loudest of those tried."""


def crop_frames(pairs: PairConfig, sample_rate: int, hop: int) -> int:
    """Codec frames that the samples of a crop are encoded to."""
    return -(-round(pairs.crop_seconds * sample_rate) // hop)


@functools.lru_cache(maxsize=128)
def usable_tokens(table: TokenTable, pairs: PairConfig) -> Usable:
    """Stored pairs with a crop in which both parts are audible, and their segments."""
    frames = crop_frames(pairs, table.sample_rate, table.hop)
    own_frames = np.repeat(table.segment_frames, np.diff(table.draw_offset))
    least = pairs.active_fraction * frames if table.is_padded else frames
    is_usable = (own_frames >= least) & _audible_pairs(table, pairs)
    counts = np.append(0, np.cumsum(is_usable))
    offsets = table.draw_offset
    segments = np.flatnonzero(counts[offsets[1:]] > counts[offsets[:-1]])
    return Usable(segments, is_usable)


def _audible_pairs(table: TokenTable, pairs: PairConfig) -> np.ndarray:
    if table.entry_rms is None:
        return np.ones(len(table.draw_context), bool)
    audible = []
    for first in range(0, len(table.draw_context), _PAIRS_AT_ONCE):
        rows = slice(first, first + _PAIRS_AT_ONCE)
        parts = (table.draw_context[rows], table.draw_target[rows])
        levels = tuple(table.entry_rms[e] / np.float32(10) for e in parts)
        audible.append(is_audible_somewhere(levels, pairs))
    return np.concatenate([np.zeros(0, bool), *audible])


def draw_tokens(
    table: TokenTable,
    is_usable: np.ndarray,
    segment: int,
    rng: np.random.Generator,
    pairs: PairConfig,
) -> TokenDraw:
    """A pair of a usable segment.

    is_usable: [D] bool, `Usable.is_choice`.
    """
    first, last = table.draw_offset[segment : segment + 2]
    choices = first + np.flatnonzero(is_usable[first:last])
    frames = crop_frames(pairs, table.sample_rate, table.hop)
    room = max(0, int(table.segment_frames[segment]) - frames)

    def draw() -> Candidate:
        pair = int(rng.choice(choices))
        start = int(rng.integers(0, room + 1))
        entries = (table.draw_context[pair], table.draw_target[pair])
        levels = []  # unknown levels count as audible
        if table.entry_rms is not None:
            levels = [_crop_db(table, entry, start, frames) for entry in entries]
        return candidate((pair, start), levels, pairs)

    drawn = redraw_until_audible(draw, pairs.tries)
    pair, start = drawn.value
    return TokenDraw(
        song=int(table.segment_song[segment]),
        segment=segment,
        start=start,
        frames=frames,
        context=int(table.draw_context[pair]),
        target=int(table.draw_target[pair]),
        instrument=int(table.draw_instrument[pair]),
        redraws=drawn.redraws,
        is_fallback=drawn.is_fallback,
    )


def _crop_db(table: TokenTable, entry: int, start: int, frames: int) -> np.ndarray:
    """RMS in dB per 0.1 s of a crop of an entry."""
    samples = LEVELS_PER_SECOND * table.hop
    first = start * samples // table.sample_rate
    last = -(-(start + frames) * samples // table.sample_rate)
    return table.entry_rms[entry, first:last] / 10

"""Draws of pairs from a token store: a stored submix, a crop in frames.

The family of `data.drawing.draw`: same keys, same silence test, on the RMS tables of the stored
mixes (StemGen, sec. 3; Assumptions A18, A19).
"""

import dataclasses
import functools

import numpy as np

from stemjax.config.train import PairConfig
from stemjax.data.drawing.draw import (
    PAIR_STREAM,
    ByIdentity,
    epoch_order,
    generator,
    nothing_to_draw,
    passes,
    passes_somewhere,
)
from stemjax.data.tokens.format import LEVELS_PER_SECOND

_PAIRS_AT_ONCE = 1 << 14  # of which the levels are looked at: 40 MB a part


@dataclasses.dataclass(frozen=True)
class TokenTable:
    """One split of a token store. G segments, D stored pairs, E mixes, F RMS frames.

    songs: ids of the split's songs.
    segment_song: [G] int32, index into `songs`.
    segment_frames: [G] int32, codec frames of the segment's own.
    draw_offset: [G + 1] int32; the pairs of segment g are rows
      draw_offset[g]:draw_offset[g + 1].
    draw_context, draw_target: [D] int32, entries of the store.
    draw_instrument: [D] int32.
    entry_rms: [E, F] int16, tenths of dB per 0.1 s, of the whole store; None: nothing
      is known of levels, every frame counts as sounding.
    sample_rate: Hz.
    hop: samples per codec frame.
    is_padded: codes past `segment_frames` are those of silence; else they are nothing.
    """

    songs: tuple[str, ...]
    segment_song: np.ndarray
    segment_frames: np.ndarray
    draw_offset: np.ndarray
    draw_context: np.ndarray
    draw_target: np.ndarray
    draw_instrument: np.ndarray
    entry_rms: np.ndarray | None
    sample_rate: int
    hop: int
    is_padded: bool


@dataclasses.dataclass(frozen=True)
class TokenDraw:
    """One (context, target) pair of a store, as entries and a range of frames."""

    song: int
    segment: int
    start: int  # first frame of the crop
    frames: int
    context: int
    target: int
    instrument: int
    redraws: int
    is_fallback: bool


def crop_frames(pairs: PairConfig, sample_rate: int, hop: int) -> int:
    """Codec frames of a crop: as many as its samples would be encoded to."""
    return -(-round(pairs.crop_seconds * sample_rate) // hop)


def usable_pairs(table: TokenTable, pairs: PairConfig) -> np.ndarray:
    """Stored pairs with a crop in which both parts sound: [D] bool."""
    return _usable_pairs(ByIdentity(table), pairs)


@functools.lru_cache(maxsize=128)
def _usable_pairs(cached: ByIdentity, pairs: PairConfig) -> np.ndarray:
    table = cached.table
    frames = crop_frames(pairs, table.sample_rate, table.hop)
    own_frames = np.repeat(table.segment_frames, np.diff(table.draw_offset))
    least = pairs.active_fraction * frames if table.is_padded else frames
    return (own_frames >= least) & _sounding_pairs(table, pairs)


def _sounding_pairs(table: TokenTable, pairs: PairConfig) -> np.ndarray:
    if table.entry_rms is None:
        return np.ones(len(table.draw_context), bool)
    sounding = []
    for first in range(0, len(table.draw_context), _PAIRS_AT_ONCE):
        rows = slice(first, first + _PAIRS_AT_ONCE)
        parts = (table.draw_context[rows], table.draw_target[rows])
        levels = tuple(table.entry_rms[e] / np.float32(10) for e in parts)
        sounding.append(passes_somewhere(levels, pairs))
    return np.concatenate([np.zeros(0, bool), *sounding])


def usable_segments(table: TokenTable, pairs: PairConfig) -> np.ndarray:
    """Segments with a usable pair: [G'] int."""
    return _usable_segments(ByIdentity(table), pairs)


@functools.lru_cache(maxsize=128)
def _usable_segments(cached: ByIdentity, pairs: PairConfig) -> np.ndarray:
    offsets = cached.table.draw_offset
    counts = np.append(0, np.cumsum(usable_pairs(cached.table, pairs)))
    return np.flatnonzero(counts[offsets[1:]] > counts[offsets[:-1]])


def token_draw(
    table: TokenTable, seed: int, epoch: int, k: int, pairs: PairConfig
) -> TokenDraw:
    """Pair k of an epoch; k counts the usable segments.

    Raises:
      ValueError: no segment of the table can give a pair.
    """
    segments = usable_segments(table, pairs)
    if not len(segments):
        raise ValueError(nothing_to_draw(pairs))
    segment = int(segments[epoch_order(len(segments), seed, epoch)[k]])
    rng = generator(PAIR_STREAM, seed, epoch, k)
    return token_draw_in(table, segment, rng, pairs)


def token_draw_in(
    table: TokenTable, segment: int, rng: np.random.Generator, pairs: PairConfig
) -> TokenDraw:
    """A pair of a given, usable segment."""
    first, last = table.draw_offset[segment : segment + 2]
    choices = first + np.flatnonzero(usable_pairs(table, pairs)[first:last])
    frames = crop_frames(pairs, table.sample_rate, table.hop)
    room = max(0, int(table.segment_frames[segment]) - frames)
    best, best_db = None, -np.inf
    for attempt in range(1 + pairs.tries):
        pair = int(rng.choice(choices))
        start = int(rng.integers(0, room + 1))
        entries = (int(table.draw_context[pair]), int(table.draw_target[pair]))
        made = TokenDraw(
            song=int(table.segment_song[segment]),
            segment=segment,
            start=start,
            frames=frames,
            context=entries[0],
            target=entries[1],
            instrument=int(table.draw_instrument[pair]),
            redraws=attempt,
            is_fallback=False,
        )
        if table.entry_rms is None:
            return made
        levels = [_crop_db(table, entry, start, frames) for entry in entries]
        if passes(levels, pairs):
            return made
        loudness = min(float(np.mean(level)) for level in levels)
        if loudness > best_db:
            best, best_db = made, loudness
    return dataclasses.replace(best, redraws=pairs.tries, is_fallback=True)


def _crop_db(table: TokenTable, entry: int, start: int, frames: int) -> np.ndarray:
    """RMS in dB per 0.1 s of a crop of an entry."""
    samples = LEVELS_PER_SECOND * table.hop
    first = start * samples // table.sample_rate
    last = -(-(start + frames) * samples // table.sample_rate)
    return table.entry_rms[entry, first:last] / 10

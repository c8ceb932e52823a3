"""Hand-made index tables and sources for the tests of draws and batches."""

import numpy as np

from stemjax.config.streams import Stream
from stemjax.config.train import PairConfig
from stemjax.data.drawing.draw import PairDraw, draw_pair, epoch_order, usable
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import (
    RECORD_SAMPLES,
    RMS_FRAMES,
    SAMPLE_RATE,
    records_of,
    rms_tenths,
)
from stemjax.data.tokens.draw import TokenDraw, TokenTable, draw_tokens, usable_tokens
from stemjax.io.random import generator


def draw(
    made: IndexTable, seed: int, epoch: int, k: int, pairs: PairConfig
) -> PairDraw:
    """Pair k of an epoch, as a pool of this table alone draws it."""
    return _draw(draw_pair, usable(made, pairs), made, seed, epoch, k, pairs)


def token_draw(
    made: TokenTable, seed: int, epoch: int, k: int, pairs: PairConfig
) -> TokenDraw:
    """Pair k of an epoch, as a pool of this table alone draws it."""
    return _draw(draw_tokens, usable_tokens(made, pairs), made, seed, epoch, k, pairs)


def _draw(function, choices, made, seed, epoch, k, pairs):
    segments, is_choice = choices
    segment = int(segments[epoch_order(len(segments), seed, epoch)[k]])
    rng = generator(seed, Stream.DATA_PAIR, epoch, k)
    return function(made, is_choice, segment, rng, pairs)


def table(
    segments: list[list[int]], *, seconds: float = 60.0, db: float = -20.0
) -> IndexTable:
    """One song per segment; a segment is the list of its stems' categories."""
    frames = round(10 * seconds)
    categories = [c for stems in segments for c in stems]
    levels = np.full((len(categories), RMS_FRAMES), -120, np.float32)
    levels[:, :frames] = db
    return IndexTable(
        songs=tuple(f"song-{n}" for n in range(len(segments))),
        segment_song=np.arange(len(segments), dtype=np.int32),
        segment_samples=np.full(len(segments), round(seconds * SAMPLE_RATE), np.int64),
        stem_offset=np.cumsum([0] + [len(s) for s in segments]).astype(np.int32),
        stem_category=np.array(categories, np.int32),
        stem_record=6 * np.arange(len(categories), dtype=np.int64),
        stem_rms_db=levels,
    )


class MemorySource:
    """Given stems as a source: {split: [song = [(category, int16 [N]), ...]]}."""

    def __init__(self, splits: dict[str, list], content_hash: str = "memory"):
        self.content_hash = content_hash
        self.records, self.tables = [], {}
        for split in ("train", "validation", "test"):
            self.tables[split] = self._table(splits.get(split, []))

    def _table(self, songs: list) -> IndexTable:
        first, levels = [], []
        for song in songs:
            for _, audio in song:
                first.append(len(self.records))
                self.records += list(records_of(audio))
                levels.append(rms_tenths(audio) / 10)
        return IndexTable(
            songs=tuple(f"s{n}" for n in range(len(songs))),
            segment_song=np.arange(len(songs), dtype=np.int32),
            segment_samples=np.array([len(song[0][1]) for song in songs], np.int64),
            stem_offset=np.cumsum([0] + [len(song) for song in songs]).astype(np.int32),
            stem_category=np.array([c for song in songs for c, _ in song], np.int32),
            stem_record=np.array(first, np.int64),
            stem_rms_db=np.array(levels, np.float32).reshape(-1, RMS_FRAMES),
        )

    def index(self, split: str) -> IndexTable:
        return self.tables[split]

    def read(self, numbers) -> np.ndarray:
        rows = [self.records[n] for n in numbers]
        return np.array(rows, np.int16).reshape(-1, RECORD_SAMPLES)


def noise(seed: int, seconds: float, peak: int = 3_000) -> np.ndarray:
    """White noise, int16 [N]."""
    samples = round(seconds * SAMPLE_RATE)
    return np.random.default_rng(seed).integers(-peak, peak, samples).astype(np.int16)

"""Samples of stems and mixes, cut from a prepared folder's records."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from data.manifest import IndexTable
from data.segments import RECORD_SECONDS, SAMPLE_RATE

RECORD_SAMPLES = RECORD_SECONDS * SAMPLE_RATE


class Source(Protocol):
    """What draws are read from: a prepared folder, or a set made in memory."""

    def index(self, split: str) -> IndexTable: ...

    def read(self, split: str, numbers: np.ndarray) -> np.ndarray: ...


def read_stems(
    source: Source,
    split: str,
    table: IndexTable,
    segment: int,
    stems: Sequence[int],
    start: int,
    samples: int,
) -> np.ndarray:
    """Crops of stems of one segment, [len(stems), samples] int16, zeros past its end."""
    length = int(table.segment_samples[segment])
    end = min(start + samples, length)
    records = range(start // RECORD_SAMPLES, -(-end // RECORD_SAMPLES))
    numbers = [int(table.stem_record[s]) + r for s in stems for r in records]
    audio = source.read(split, np.array(numbers)).reshape(len(stems), -1)
    offset = start - records.start * RECORD_SAMPLES
    piece = audio[:, offset : offset + end - start]
    return np.pad(piece, ((0, 0), (0, samples - piece.shape[1])))


def common_gain(*mixes: np.ndarray) -> float:
    """1, or what brings the loudest sum (int32) within int16 (Assumption A18)."""
    peak = max(int(np.abs(mix).max(initial=0)) for mix in mixes)
    return min(1.0, 32_767 / peak) if peak else 1.0


def to_int16(mix: np.ndarray, gain: float) -> np.ndarray:
    """An int32 sum with a gain, rounded to int16."""
    if gain == 1.0:
        return mix.astype(np.int16)
    return np.round(mix * gain).astype(np.int16)

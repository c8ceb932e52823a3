"""Samples of stems and mixes, cut from a source's records (StemGen, sec. 2)."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import RECORD_SAMPLES


class StemSource(Protocol):
    """Stems of songs: a prepared folder, or a set made in memory."""

    @property
    def content_hash(self) -> str: ...

    def index(self, split: str) -> IndexTable: ...

    def read(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray: ...


def read_stems(
    source: StemSource,
    table: IndexTable,
    segment: int,
    stems: Sequence[int],
    start: int,
    samples: int,
) -> np.ndarray:
    """Crops of stems of one segment, [len(stems), samples] int16, zero past its end.

    stems: rows of the table.  One call of `source.read` fetches all records.
    """
    end = min(start + samples, int(table.segment_samples[segment]))
    records = np.arange(start // RECORD_SAMPLES, -(-end // RECORD_SAMPLES))
    numbers = table.stem_record[np.asarray(stems)][:, None] + records
    audio = source.read(numbers.ravel()).reshape(len(stems), -1)
    offset = start - int(records[0]) * RECORD_SAMPLES
    out = np.zeros((len(stems), samples), np.int16)
    out[:, : end - start] = audio[:, offset : offset + end - start]
    return out


def common_gain(*mixes: np.ndarray) -> float:
    """The gain, at most 1, that brings all sums [N] int32 within int16 (A18)."""
    gain = 1.0
    for mix in mixes:
        gain = min(gain, 32_767 / max(1, mix.max()), 32_768 / max(1, -mix.min()))
    return float(gain)


def to_int16(mix: np.ndarray, gain: float) -> np.ndarray:
    """A sum [N] int32 times a gain, rounded to int16."""
    if gain == 1.0:
        return mix.astype(np.int16)
    return np.round(mix * gain).astype(np.int16)

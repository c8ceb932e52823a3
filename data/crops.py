"""Crops for codec training: single stems, random submixes and full mixes in turn."""

from collections.abc import Iterator

import numpy as np

from data.audio import Source, common_gain, read_stems, to_int16
from data.draw import draw, generator, usable_segments
from data.prefetch import in_threads
from stemjax.config.train import PairConfig

KIND_STREAM = 2  # Philox key: which kind of crop a draw becomes


def crop_at(
    source: Source, split: str, table, seed: int, index: int, pairs: PairConfig
) -> np.ndarray:
    """Crop number `index`, [N] int16: half single stems, a quarter each of mixes."""
    size = len(usable_segments(table))
    epoch, k = divmod(index, size)
    made = draw(table, seed, epoch, k, pairs)
    kind = generator(KIND_STREAM, seed, epoch, k).integers(4)
    if kind == 0:
        stems = made.context
    elif kind == 1:
        first, last = table.stem_offset[made.segment : made.segment + 2]
        stems = tuple(range(first, last))
    else:
        stems = (made.target,)
    parts = read_stems(
        source, split, table, made.segment, stems, made.start, made.samples
    )
    total = parts.astype(np.int32).sum(axis=0)
    return to_int16(total, common_gain(total))


def codec_batches(
    source: Source,
    *,
    crop_seconds: float,
    split: str = "train",
    batch_size: int,
    seed: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[dict[str, np.ndarray]]:
    """Endless batches {audio [B, N] int16}; row r of step s is crop s * B + r.

    A process gets its own rows; `batch_size` is over all processes.
    """
    table, pairs = source.index(split), PairConfig(crop_seconds=crop_seconds)
    rows = batch_size // process_count

    def batch(step: int) -> dict[str, np.ndarray]:
        first = step * batch_size + process_index * rows
        crops = [
            crop_at(source, split, table, seed, first + r, pairs) for r in range(rows)
        ]
        return {"audio": np.stack(crops)}

    return in_threads(batch, start_step)


def codec_eval_batches(
    source: Source,
    *,
    crop_seconds: float,
    split: str,
    batch_size: int,
    count: int,
    seed: int,
) -> Iterator[dict[str, np.ndarray]]:
    """`count` fixed crops in batches, the last one padded: audio, is_valid, row."""
    table, pairs = source.index(split), PairConfig(crop_seconds=crop_seconds)
    for first in range(0, count, batch_size):
        rows = np.arange(first, first + batch_size)
        is_valid = rows < count
        crops = [
            crop_at(source, split, table, seed, int(r), pairs) for r in rows[is_valid]
        ]
        audio = np.zeros((batch_size, len(crops[0])), np.int16)
        audio[: len(crops)] = crops
        yield {"audio": audio, "is_valid": is_valid, "row": rows.astype(np.int32)}

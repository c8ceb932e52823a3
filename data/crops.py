"""Crops for codec training: single stems, random submixes and full mixes in turn."""

from collections.abc import Iterator

import numpy as np

from data.audio import Source, common_gain, read_stems, to_int16
from data.batches import Batch, Row, endless, finite
from data.draw import KIND_STREAM, draw, generator
from data.mixture import Mixture
from data.pairs import pair_pool
from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig


def codec_batches(
    data: Source | Mixture,
    *,
    crop_seconds: float,
    split: str = "train",
    batch_size: int,
    seed: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    loader: Loader = Loader.NUMPY,
) -> Iterator[Batch]:
    """Endless batches {audio [B, N] int16}; row r of step s is crop s * B + r.

    A process gets its own rows; `batch_size` is over all processes.
    """
    return endless(
        _crop_row(data, crop_seconds, split, seed),
        batch_size=batch_size,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
        loader=loader,
    )


def codec_eval_batches(
    data: Source | Mixture,
    *,
    crop_seconds: float,
    split: str,
    batch_size: int,
    count: int,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """`count` fixed crops in batches, the last one padded: audio, is_valid, row."""
    return finite(
        _crop_row(data, crop_seconds, split, seed),
        count=count,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
    )


def _crop_row(
    data: Source | Mixture, crop_seconds: float, split: str, seed: int
) -> Row:
    """Crop by number: half of them single stems, a quarter each of the two mixes.

    The crop is that of a pair's draw, so its target and its context both sound.
    """
    pairs = PairConfig(crop_seconds=crop_seconds)
    pool = pair_pool(data, pairs, split, seed)

    def row(index: int) -> Batch:
        source, epoch, k = pool.place(index)
        source, table = pool.members[source][:2]
        made = draw(table, seed, epoch, k, pairs)
        match generator(KIND_STREAM, seed, index).integers(4):
            case 0:
                stems = made.context
            case 1:
                stems = tuple(range(*table.stem_offset[made.segment :][:2]))
            case _:
                stems = (made.target,)
        parts = read_stems(source, table, made.segment, stems, made.start, made.samples)
        mix = parts.sum(axis=0, dtype=np.int32)
        return {"audio": to_int16(mix, common_gain(mix))}

    return row


def codec_eval_clips(
    data: Source | Mixture,
    *,
    crop_seconds: float,
    split: str,
    count: int,
    seed: int,
) -> list[np.ndarray]:
    """The crops of `codec_eval_batches` one by one, [N] float32 of full scale 1."""
    batches = codec_eval_batches(
        data,
        crop_seconds=crop_seconds,
        split=split,
        batch_size=8,
        count=count,
        seed=seed,
    )
    rows = [b["audio"][b["is_valid"]] for b in batches]
    return list(np.concatenate(rows).astype(np.float32) / 32_768)

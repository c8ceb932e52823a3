"""Crops for codec training: single stems, random submixes and full mixes in turn."""

from collections.abc import Iterator

import numpy as np

from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig
from stemjax.data.drawing.audio import Source, common_gain, read_stems, to_int16
from stemjax.data.drawing.batches import Batch, Row, endless, finite
from stemjax.data.drawing.draw import (
    KIND_STREAM,
    PAIR_STREAM,
    crop,
    draw_in,
    epoch_order,
    generator,
    mix_db,
    passes,
    passes_somewhere,
    usable,
)
from stemjax.data.drawing.mixture import Mixture, Pool
from stemjax.data.prepared.manifest import IndexTable


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

    The crop is that of a pair's draw, so its target and its context both sound.  Of a
    song of one stem, a plain recording, it is a crop that sounds.
    """
    pairs = PairConfig(crop_seconds=crop_seconds)
    pool = _crop_pool(data, pairs, split, seed)

    def row(index: int) -> Batch:
        number, epoch, k = pool.place(index)
        source, table, segments, _ = pool.members[number]
        segment = int(segments[epoch_order(len(segments), seed, epoch)[k]])
        every = tuple(range(*table.stem_offset[segment : segment + 2]))
        rng = generator(PAIR_STREAM, seed, epoch, k)
        if len(every) == 1:
            stems, (start, samples) = every, _sounding_crop(table, segment, rng, pairs)
        else:
            made = draw_in(table, segment, rng, pairs)
            start, samples = made.start, made.samples
            match generator(KIND_STREAM, seed, index).integers(4):
                case 0:
                    stems = made.context
                case 1:
                    stems = every
                case _:
                    stems = (made.target,)
        parts = read_stems(source, table, segment, stems, start, samples)
        mix = parts.sum(axis=0, dtype=np.int32)
        return {"audio": to_int16(mix, common_gain(mix))}

    return row


def _crop_pool(
    data: Source | Mixture, pairs: PairConfig, split: str, seed: int
) -> Pool:
    """Segments that can give a pair, and those of one stem that sounds."""

    def segments(table: IndexTable) -> np.ndarray:
        first = table.stem_offset[:-1]
        alone = np.flatnonzero(np.diff(table.stem_offset) == 1)
        sounds = passes_somewhere((table.stem_rms_db[first[alone]],), pairs)
        return np.union1d(usable(table, pairs).segments, alone[sounds])

    least = pairs.active_fraction * pairs.crop_seconds
    why = (
        f"no segment sounds for {least:g} s or more: add songs, or lower the crop's"
        f" {pairs.crop_seconds:g} s"
    )
    return Pool(data, split, seed, segments, why)


def _sounding_crop(
    table: IndexTable, segment: int, rng: np.random.Generator, pairs: PairConfig
) -> tuple[int, int]:
    """Start and length of a crop of a segment of one stem; the loudest of those tried
    when none passes the silence test."""
    stem = table.stem_offset[segment : segment + 1]
    best, best_db = (0, 0), -np.inf
    for _ in range(1 + pairs.tries):
        place = crop(rng, int(table.segment_samples[segment]), pairs)
        level = mix_db(table, stem, *place)
        if passes([level], pairs):
            return place
        if np.mean(level) > best_db:
            best, best_db = place, float(np.mean(level))
    return best


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

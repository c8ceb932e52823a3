"""Crops for codec training: single stems, random submixes and full mixes."""

from collections.abc import Iterator

import numpy as np

from stemjax.config.runs import Loader
from stemjax.config.streams import Stream
from stemjax.config.train import PairConfig
from stemjax.data.drawing.audio import StemSource, common_gain, read_stems, to_int16
from stemjax.data.drawing.batches import Batch, MakeExample, endless, finite
from stemjax.data.drawing.draw import (
    Usable,
    crop,
    draw_pair,
    is_audible_somewhere,
    mix_db,
    usable,
)
from stemjax.data.drawing.mixture import Mixture, Pool
from stemjax.data.drawing.redraw import Candidate, candidate, redraw_until_audible
from stemjax.data.prepared.manifest import IndexTable
from stemjax.io.random import generator


def codec_batches(
    data: StemSource | Mixture,
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

    `batch_size` counts the rows of all processes; each process gets its share.
    """
    return endless(
        _make_crop(data, crop_seconds, split, seed),
        batch_size=batch_size,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
        loader=loader,
    )


def codec_eval_batches(
    data: StemSource | Mixture,
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
        _make_crop(data, crop_seconds, split, seed),
        count=count,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
    )


def codec_eval_clips(
    data: StemSource | Mixture,
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


def _make_crop(
    data: StemSource | Mixture, crop_seconds: float, split: str, seed: int
) -> MakeExample:
    """Crop by index: half of them single stems, a quarter each of the two mixes.

    The crop is that of a pair's draw, so its target and its context are both audible.
    Of a song with one stem (a plain recording) it is an audible crop.
    """
    pairs = PairConfig(crop_seconds=crop_seconds)
    pool = _crop_pool(data, pairs, split, seed)

    def make(index: int) -> Batch:
        member, segment, rng = pool.draw_segment(index)
        table = member.table
        stems = tuple(range(*table.stem_offset[segment : segment + 2]))
        if len(stems) == 1:
            start, samples = _audible_crop(table, segment, rng, pairs)
        else:
            pair = draw_pair(table, member.usable.is_choice, segment, rng, pairs)
            start, samples = pair.start, pair.samples
            match generator(seed, Stream.DATA_CODEC_CROP_KIND, index).integers(4):
                case 0:
                    stems = pair.context
                case 1:
                    pass
                case _:
                    stems = (pair.target,)
        parts = read_stems(member.source, table, segment, stems, start, samples)
        mix = parts.sum(axis=0, dtype=np.int32)
        return {"audio": to_int16(mix, common_gain(mix))}

    return make


def _crop_pool(
    data: StemSource | Mixture, pairs: PairConfig, split: str, seed: int
) -> Pool:
    """Segments that can give a pair, and those of one stem that is audible somewhere."""

    def find_usable(table: IndexTable) -> Usable:
        first = table.stem_offset[:-1]
        alone = np.flatnonzero(np.diff(table.stem_offset) == 1)
        is_audible = is_audible_somewhere((table.stem_rms_db[first[alone]],), pairs)
        segments, is_target = usable(table, pairs)
        return Usable(np.union1d(segments, alone[is_audible]), is_target)

    least = pairs.active_fraction * pairs.crop_seconds
    message = (
        f"no segment sounds for {least:g} s or more: add songs, or lower the crop's"
        f" {pairs.crop_seconds:g} s"
    )
    return Pool(data, split, seed, find_usable, message)


def _audible_crop(
    table: IndexTable, segment: int, rng: np.random.Generator, pairs: PairConfig
) -> tuple[int, int]:
    """Start and length of a crop of a segment of one stem."""
    stem = table.stem_offset[segment : segment + 1]

    def draw() -> Candidate:
        place = crop(rng, int(table.segment_samples[segment]), pairs)
        return candidate(place, [mix_db(table, stem, *place)], pairs)

    return redraw_until_audible(draw, pairs.tries).value

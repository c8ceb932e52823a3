"""Batches of audio pairs (context, target) from prepared folders (StemGen, sec. 2, 3).

A draw chooses the stems and the crop; this module reads and sums them.  Context and
target share one gain, which is below 1 if the peak of either exceeds full scale
(Assumption A18).
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig
from stemjax.data.drawing.audio import StemSource, common_gain, read_stems, to_int16
from stemjax.data.drawing.batches import Batch, endless
from stemjax.data.drawing.draw import PairDraw, draw_pair, nothing_to_draw, usable
from stemjax.data.drawing.examples import (
    PairKind,
    evaluation_batches,
    training_example,
)
from stemjax.data.drawing.mixture import Mixture, Pool
from stemjax.data.prepared.manifest import IndexTable


def pair_batches(
    data: StemSource | Mixture,
    pairs: PairConfig,
    *,
    split: str,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    loader: Loader = Loader.NUMPY,
) -> Iterator[Batch]:
    """Endless pairs: context, target [B, N] int16; instrument [B] int32.

    Raises:
      UserError: no segment of the split is usable.
      ValueError: the batch does not divide over the processes.
    """
    return endless(
        training_example(pair_pool(data, pairs, split, seed), audio_pairs(pairs)),
        batch_size=batch_size,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
        loader=loader,
    )


def pair_eval_batches(
    data: StemSource | Mixture,
    pairs: PairConfig,
    *,
    split: str,
    count: int,
    batch_size: int,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """The first `count` pairs of (split, seed), the last batch zero-padded.

    context, target, other_context [B, N] int16; instrument, song, row [B] int32;
    is_valid [B] bool.  `other_context` is the context of a pair of another song, for the
    context gain; it is absent if the split has one song only.
    """
    return evaluation_batches(
        pair_pool(data, pairs, split, seed),
        audio_pairs(pairs),
        count=count,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
    )


def pair_pool(data: Any, pairs: PairConfig, split: str, seed: int) -> Pool:
    """Usable segments of a split of prepared folders."""
    find_usable = functools.partial(usable, pairs=pairs)
    return Pool(data, split, seed, find_usable, nothing_to_draw(pairs))


def audio_pairs(pairs: PairConfig) -> PairKind:
    """Pairs that are drawn from stems and mixed here."""
    return PairKind(
        draw=functools.partial(draw_pair, pairs=pairs), read=read_pair, suffix=""
    )


def read_pair(
    source: StemSource, table: IndexTable, pair: PairDraw
) -> tuple[np.ndarray, np.ndarray]:
    """Context mix and target stem of a draw, [N] int16 each, with their common gain."""
    stems = (*pair.context, pair.target)
    audio = read_stems(source, table, pair.segment, stems, pair.start, pair.samples)
    context = audio[:-1].sum(axis=0, dtype=np.int32)
    target = audio[-1].astype(np.int32)
    gain = common_gain(context, target)
    return to_int16(context, gain), to_int16(target, gain)

"""Audio pairs (context, target) from prepared folders (StemGen, sec. 2 and 3).

A draw says which stems and where; here they are read and summed.  One gain, common to
context and target, is applied when the peak of either passes 1 (Assumption A18): it is
computed from the crop's samples.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig
from stemjax.data.drawing.audio import Source, common_gain, read_stems, to_int16
from stemjax.data.drawing.batches import Batch, endless
from stemjax.data.drawing.draw import Draw, draw, draw_in, nothing_to_draw, usable
from stemjax.data.drawing.examples import PairKind, evaluation_batches, training_row
from stemjax.data.drawing.mixture import Mixture, Pool
from stemjax.data.prepared.manifest import IndexTable


def numpy_batches(
    data: Source | Mixture,
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
      UserError: the split has nothing to draw.
      ValueError: the batch does not divide over the processes.
    """
    return endless(
        training_row(pair_pool(data, pairs, split, seed), audio_pairs(pairs)),
        batch_size=batch_size,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
        loader=loader,
    )


def tf_batches(
    data: Source | Mixture, pairs: PairConfig, **settings
) -> Iterator[Batch]:
    """`numpy_batches` through tf.data: the same arrays."""
    return numpy_batches(data, pairs, loader=Loader.TF, **settings)


def eval_batches(
    data: Source | Mixture,
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
    is_valid [B] bool.  `other_context` is the context of a pair of another song, for
    context gain; it is left out when the split has one song only.
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
    """What can be drawn of a split of prepared songs."""

    def segments(table: IndexTable) -> np.ndarray:
        return usable(table, pairs).segments

    return Pool(data, split, seed, segments, nothing_to_draw(pairs))


def audio_pairs(pairs: PairConfig) -> PairKind:
    """Pairs drawn from stems and mixed here."""
    return PairKind(
        draw=functools.partial(draw, pairs=pairs),
        draw_in=functools.partial(draw_in, pairs=pairs),
        read=read_pair,
        suffix="",
    )


def read_pair(
    source: Source, table: IndexTable, made: Draw
) -> tuple[np.ndarray, np.ndarray]:
    """Context mix and target stem of a draw, [N] int16 each, with their common gain."""
    stems = read_stems(
        source,
        table,
        made.segment,
        (*made.context, made.target),
        made.start,
        made.samples,
    )
    context = stems[:-1].sum(axis=0, dtype=np.int32)
    target = stems[-1].astype(np.int32)
    gain = common_gain(context, target)
    return to_int16(context, gain), to_int16(target, gain)

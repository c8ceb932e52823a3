"""Batches of a training run: from `--data`, or from a synthetic set made in memory."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from stemjax.config.runs import CodecRun, Loader, Run
from stemjax.data.drawing import crops, pairs
from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.data.spec import OpenedData, open_data
from stemjax.data.tokens import store
from stemjax.data.tokens.format import StoreCodec
from stemjax.io.errors import UserError

SEED = 0  # of the synthetic set and of the validation examples


class BatchSource(NamedTuple):
    """OpenedData training data of one run."""

    codec: StoreCodec | None
    """Codec of the tokens; None: the batches hold audio."""
    digest: str
    """Digest of the contents."""
    train: Callable[[int], Iterator[dict]]
    """First step -> endless batches."""
    evaluate: Callable[[], Iterator[dict]] | None
    """-> finite batches, the same in every call; None: no validation song."""


def open_source(run: Run, loader: Loader, share: tuple[int, int]) -> BatchSource:
    """Open `run.data`; without it, a synthetic set of songs.

    Args:
      share: (index, count): this process makes share `index` of `count` equal shares of
        every batch.

    Raises:
      UserError: no such data, or tokens for a codec's run.
    """
    opened = (
        OpenedData(False, SyntheticSet(SEED))
        if run.data is None
        else open_data(run.data)
    )
    if isinstance(run, CodecRun):
        if opened.is_tokens:
            raise UserError(
                f"{run.data}: a codec trains on audio; give a prepared folder"
            )
        settings = {"crop_seconds": run.objective.crop_seconds}
        train, evaluate = crops.codec_batches, crops.codec_eval_batches
    else:
        settings = {"pairs": run.pairs}
        train, evaluate = pairs.pair_batches, pairs.pair_eval_batches
        if opened.is_tokens:
            train, evaluate = store.token_batches, store.token_eval_batches
    settings |= {
        "batch_size": run.batch_size,
        "process_index": share[0],
        "process_count": share[1],
    }

    def train_batches(start_step: int) -> Iterator[dict]:
        return train(
            opened.data,
            split="train",
            seed=run.seed,
            start_step=start_step,
            loader=loader,
            **settings,
        )

    def eval_batches() -> Iterator[dict]:
        count = run.loop.eval_batches * run.batch_size
        return evaluate(
            opened.data, split="validation", seed=SEED, count=count, **settings
        )

    has_validation = opened.has("validation")
    if not has_validation:
        print(f"{run.data}: no validation song: no evaluation, no best step")
    return BatchSource(
        codec=opened.sources[0].codec if opened.is_tokens else None,
        digest=opened.data.content_hash,
        train=train_batches,
        evaluate=eval_batches if has_validation else None,
    )

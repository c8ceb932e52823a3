"""Batches of a training run: from `--data`, or from the set made in memory."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from stemjax.config.runs import CodecRun, Run
from stemjax.io.errors import UserError

SEED = 0  # of the synthetic set and of the validation examples


class Source(NamedTuple):
    """Where batches come from.

    train: first step -> endless batches.  evaluate: -> the same finite batches each
    time; None where there is no validation song.
    """

    is_tokens: bool
    identity: str
    codec: Any  # what a token store was made with (`codecs.MadeWith`); None: audio
    train: Callable[[int], Iterator[dict]]
    evaluate: Callable[[], Iterator[dict]] | None


def open_source(run: Run, share: tuple[int, int]) -> Source:
    """The batches of `--data`, or of the set made in memory for tiny presets.

    share: (index, count) of the equal shares of a batch: the rows to make here.
    """
    from stemjax.data.drawing import crops, pairs
    from stemjax.data.prepared.synthetic import SyntheticSet
    from stemjax.data.spec import Opened, open_data

    opened = open_data(run.data) if run.data else Opened(False, SyntheticSet(SEED))
    if isinstance(run, CodecRun):
        if opened.is_tokens:
            raise UserError(f"{run.data}: a codec trains on audio; give a prepared one")
        settings = {"crop_seconds": run.objective.crop_seconds}
        train, evaluate = crops.codec_batches, crops.codec_eval_batches
    else:
        settings = {"pairs": run.pairs}
        train, evaluate = pairs.pair_batches, pairs.pair_eval_batches
        if opened.is_tokens:
            from stemjax.data.tokens import store as tokens

            train, evaluate = tokens.token_batches, tokens.token_eval_batches
    settings |= {
        "batch_size": run.batch_size,
        "process_index": share[0],
        "process_count": share[1],
    }

    def train_batches(start_step):
        return train(
            opened.data,
            split="train",
            seed=run.seed,
            start_step=start_step,
            loader=run.loader,
            **settings,
        )

    def eval_batches():
        count = run.loop.eval_batches * run.batch_size
        return evaluate(
            opened.data, split="validation", seed=SEED, count=count, **settings
        )

    has_validation = opened.has("validation")
    if not has_validation:
        print(f"{run.data}: no validation song: nothing is evaluated, no best is kept")
    return Source(
        is_tokens=opened.is_tokens,
        identity=opened.data.content_hash,
        codec=opened.sources[0].codec if opened.is_tokens else None,
        train=train_batches,
        evaluate=eval_batches if has_validation else None,
    )

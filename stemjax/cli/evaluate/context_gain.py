"""`evaluate.py context-gain`: how much a model's loss depends on the right context."""

import functools
from typing import Any

import stemjax
from stemjax.cli.evaluate.shared.decoding_arguments import ContextGainArguments
from stemjax.cli.evaluate.shared.progress import ProgressBar
from stemjax.config.codec import is_same_codec
from stemjax.config.train import PairConfig
from stemjax.data.drawing import pairs
from stemjax.data.spec import open_data
from stemjax.data.tokens import store
from stemjax.eval.reports.context_gain_report import table
from stemjax.eval.studies import context_gain as study
from stemjax.io.errors import UserError
from stemjax.io.json_file import write_json


def run(command: ContextGainArguments) -> None:
    """Print the context gain, and write it if `--out` is given.

    Raises:
      UserError: bad data, no such model, or tokens of another codec.
    """
    opened = open_data(command.data)
    if not opened.has(command.split):
        raise UserError(f"{command.data}: no song in the split {command.split!r}")
    model = stemjax.load(command.checkpoint, codec=command.codec)
    opened.check_codec(command.data, model.codec)
    against = None
    if command.against:
        against = stemjax.load(command.against, codec=command.codec)
    batches = functools.partial(
        store.token_eval_batches if opened.is_tokens else pairs.pair_eval_batches,
        opened.data,
        PairConfig(crop_seconds=model.trained_frames / model.config.frame_rate),
        split=command.split,
        count=command.n,
        batch_size=command.batch_size,
        seed=command.seed,
    )
    encode = None if opened.is_tokens else model.codec.encode
    measure(command, model, against, batches, encode)


def measure(
    command: ContextGainArguments,
    model: Any,
    against: Any | None,
    batches: study.Batches,
    encode: study.Encode,
) -> None:
    """Measure, print and write the gain of a `stemjax.api.Model`, or of two.

    Raises:
      UserError: a second model with another codec.
    """
    if against is not None and not is_same_codec(against.codec, model.codec):
        raise UserError(
            f"--against {command.against}: its codec is {against.codec.name}, not"
            f" {model.codec.name}; give a checkpoint with the same codec"
        )
    with ProgressBar(unit="pair") as progress:
        report = study.measure(
            model,
            batches,
            encode,
            num_pairs=command.n,
            shuffle_seed=command.seed if command.shuffle_weights else None,
            against=against,
            progress=progress,
        )
    report |= {"split": command.split, "seed": command.seed}
    if command.out:
        write_json(command.out, report)
    print(table(report))

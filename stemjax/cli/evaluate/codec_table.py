"""`evaluate.py codec-table`: quality and code use of a codec beside other coders."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax import codec
from stemjax.cli.evaluate.shared.decoding_arguments import CodecTableArguments
from stemjax.codec.codec import Codec
from stemjax.data.drawing.crops import codec_eval_clips
from stemjax.data.spec import open_data
from stemjax.eval.metrics.jackknife import finite
from stemjax.eval.reports import codec_report
from stemjax.eval.studies.code_use import code_use
from stemjax.eval.studies.codec_table import CoderScore, codec_table
from stemjax.io.errors import UserError
from stemjax.io.json_file import write_json
from stemjax.io.picture import draw_or_warn

DRAWN = 4  # clips in the picture


def run(command: CodecTableArguments) -> None:
    """Print the table of a codec, and write it if `--out` is given.

    Raises:
      UserError: bad data, or no such codec.
    """
    opened = open_data(command.data)
    if opened.is_tokens:
        raise UserError(
            f"{command.data}: a token store has no audio; give a prepared folder"
        )
    clips = functools.partial(
        codec_eval_clips,
        crop_seconds=command.seconds,
        count=command.n,
        seed=command.seed,
    )
    fitted = open_data(command.fit_data or command.data)
    held_out = clips(opened.data, split=command.split)
    training = clips(fitted.data, split="train")
    measure(command, codec.load(command.codec), held_out, training)


def measure(
    command: CodecTableArguments,
    loaded: Codec,
    held_out: Sequence[np.ndarray],
    training: Sequence[np.ndarray],
) -> None:
    """Measure, print and write the tables, then draw the first clips.

    Args:
      held_out: clips [N] float32 at the codec's rate.
      training: clips that fit the k-means codec, in the same form.
    """
    scores = codec_table(
        loaded.variables, loaded.config, held_out, training, seed=command.seed
    )
    levels = code_use(loaded.encode, loaded.config, held_out)
    print(codec_report.coders_markdown(scores))
    print(codec_report.levels_markdown(levels), end="")
    if not command.out:
        return
    write_json(
        command.out,
        {
            "codec": {"name": loaded.name, "sha256": loaded.sha256},
            "clips": command.n,
            "seconds": command.seconds,
            "split": command.split,
            "seed": command.seed,
            "rows": [as_row(score) for score in scores],
            "levels": [dataclasses.asdict(level) for level in levels],
        },
    )
    picture = pathlib.Path(command.out).with_suffix(".png")
    draw = functools.partial(
        codec_report.save_picture, picture, loaded, held_out[:DRAWN]
    )
    draw_or_warn(picture, draw)


def as_row(score: CoderScore) -> dict[str, Any]:
    """A score as JSON values; None where it is undefined."""
    values = dataclasses.asdict(score)
    return {k: finite(v) if isinstance(v, float) else v for k, v in values.items()}

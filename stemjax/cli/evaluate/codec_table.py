"""`evaluate.py codec-table`: what a codec loses, beside other coders."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax import codec
from stemjax.arrays.mel import mel_power
from stemjax.cli.evaluate.arguments import CodecTable
from stemjax.codec.codec import Codec
from stemjax.data.drawing.crops import codec_eval_clips
from stemjax.data.spec import open_data
from stemjax.eval.studies import code_use
from stemjax.eval.studies import codec_table as body
from stemjax.io.errors import UserError
from stemjax.io.picture import save_spectrograms

DRAWN = 4  # clips


def run(command: CodecTable) -> dict[str, Any]:
    """Print the table of one codec; returns its rows.

    Raises:
      UserError: bad data or no such codec.
    """
    opened = open_data(command.data)
    if opened.is_tokens:
        raise UserError(f"{command.data}: a codec is measured on audio")
    clips = functools.partial(
        codec_eval_clips,
        crop_seconds=command.seconds,
        count=command.clips,
        seed=command.seed,
    )
    fitted = open_data(command.fit_data or command.data)
    held_out = clips(opened.data, split=command.split)
    training = clips(fitted.data, split="train")
    return run_codec_table(command, codec.load(command.codec), held_out, training)


def run_codec_table(
    command: CodecTable,
    loaded: Codec,
    held_out: Sequence[np.ndarray],
    training: Sequence[np.ndarray],
) -> dict[str, Any]:
    """Print the coders' table and the codes'; returns the rows of both.

    held_out, training: clips [N] float32 at the codec's rate.
    """
    rows = body.codec_table(
        loaded.variables,
        loaded.config,
        held_out,
        training,
        seed=command.seed,
    )
    levels = code_use.code_use(loaded.encode, loaded.config, held_out)
    if command.out:
        save_picture(
            pathlib.Path(command.out).with_suffix(".png"), loaded, held_out[:DRAWN]
        )
    print(body.markdown(rows), code_use.markdown(levels), sep="\n", end="")
    return {
        "codec": {"name": loaded.name, "sha256": loaded.sha256},
        "clips": command.clips,
        "seconds": command.seconds,
        "split": command.split,
        "seed": command.seed,
        "rows": [dataclasses.asdict(row) for row in rows],
        "levels": [dataclasses.asdict(level) for level in levels],
    }


def save_picture(
    path: pathlib.Path, loaded: Codec, clips: Sequence[np.ndarray]
) -> None:
    """Mel-spectrograms of clips [N] of one length, each as it was and through the codec."""
    rate = loaded.config.sample_rate
    clips = np.stack(clips)
    heard = loaded.decode(loaded.encode(clips))[:, : clips.shape[1]]
    rows = [
        (f"clip {number}{how}", mel_power(audio, sample_rate=rate))
        for number, pair in enumerate(zip(clips, heard, strict=True), 1)
        for how, audio in zip(("", " through the codec"), pair, strict=True)
    ]
    save_spectrograms(path, rows, seconds=clips.shape[1] / rate)

"""`python evaluate.py codec-table`: what a codec loses, beside other coders."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax.codec.codec import Codec
from stemjax.eval import code_use
from stemjax.eval import codec_table as body
from stemjax.eval.commands.arguments import CodecTable


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

"""`python evaluate.py codec-table`: what a codec loses, beside other coders."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax.codec.codec import Codec
from stemjax.eval import codec_table as body
from stemjax.eval.commands.arguments import CodecTable


def run_codec_table(
    command: CodecTable,
    loaded: Codec,
    held_out: Sequence[np.ndarray],
    training: Sequence[np.ndarray],
) -> dict[str, Any]:
    """Print the table; returns its rows.

    held_out, training: clips [N] float32 at the codec's rate.
    """
    rows = body.codec_table(
        loaded.variables,
        loaded.config,
        held_out,
        training,
        seed=command.seed,
    )
    print(body.markdown(rows), end="")
    return {
        "codec": {"name": loaded.name, "sha256": loaded.sha256},
        "clips": command.clips,
        "seconds": command.seconds,
        "split": command.split,
        "seed": command.seed,
        "rows": [dataclasses.asdict(row) for row in rows],
    }

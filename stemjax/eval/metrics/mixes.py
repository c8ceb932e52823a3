"""The music of whole mixes, context and stem together, each mix analysed once."""

import pathlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from stemjax.analysis.analysis import Analyser, Analysis
from stemjax.analysis.audio import whole_seconds
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.store import Row, cached, stage_folder
from stemjax.io.audio import sum_with_one_gain

Found = TypeVar("Found")
BATCH = 8  # clips per compiled call


def analyse_mixes(
    examples: Sequence[Example],
    role: str,
    analyser: Analyser,
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> list[Analysis]:
    """Of context + the role's stem, in the order of `examples`."""

    def analyse(missing: Sequence[Example]) -> list[Row]:
        mixes = [
            whole_seconds(
                sum_with_one_gain(
                    [clips.load(e, clips.context_role(e, role)), clips.load(e, role)]
                ).audio
            )
            for e in missing
        ]
        return [to_row(a) for a in in_batches(mixes, analyser.analyse)]

    keys = [
        clips.joined_key(
            [e.keys[clips.context_role(e, role)], e.keys[role], f"{e.seconds}"]
        )
        for e in examples
    ]
    folder = stage_folder(cache, "music", analyser.params)
    items = dict(zip(keys, examples, strict=True))
    rows = cached(folder, items, analyse, progress=progress)
    return [from_row(rows[key]) for key in keys]


def in_batches(
    audio: Sequence[np.ndarray], analyse: Callable[[np.ndarray], Sequence[Found]]
) -> list[Found]:
    """`analyse` of clips [N], in order: full batches [B, N] of one length.

    The last batch of a length is filled with its first clip.
    """
    done: dict[int, Found] = {}
    for length in sorted({len(clip) for clip in audio}):
        alike = [i for i, clip in enumerate(audio) if len(clip) == length]
        for start in range(0, len(alike), BATCH):
            part = alike[start : start + BATCH]
            filled = part + part[:1] * (BATCH - len(part))
            batch = np.stack([audio[i] for i in filled]).astype(np.float32)
            done |= dict(zip(part, analyse(batch), strict=False))
    return [done[i] for i in range(len(audio))]


def to_row(analysis: Analysis) -> Row:
    """An analysis as arrays for the cache."""
    return {name: np.asarray(value) for name, value in analysis._asdict().items()}


def from_row(row: Row) -> Analysis:
    """What `to_row` was given."""
    scalars = {
        "is_tonal": bool(row["is_tonal"]),
        "key": int(row["key"]),
        "beats_per_bar": int(row["beats_per_bar"]),
        "percussive_density": int(row["percussive_density"]),
    }
    return Analysis(**row | scalars)

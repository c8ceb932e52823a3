"""Music analyses of mixes, context and stem together, computed once and cached."""

import pathlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from stemjax.analysis.audio import whole_seconds
from stemjax.analysis.records import Analyser, Analysis
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.store import CacheRow, cached, stage_folder
from stemjax.io.audio import sum_with_one_gain

Result = TypeVar("Result")
BATCH = 8
"""Clips per compiled call."""


def analyse_mixes(
    examples: Sequence[Example],
    role: str,
    analyser: Analyser,
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> list[Analysis]:
    """Analyse the mix of context and stem of each example.

    Args:
      examples: with contexts.
      role: of the stem, "real" or "generated".
      analyser: computes the analyses that the cache lacks.
      cache: folder of cached analyses.
      progress: called with the number of mixes that became available.
    """

    def analyse(missing: Sequence[Example]) -> list[CacheRow]:
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
    audio: Sequence[np.ndarray], analyse: Callable[[np.ndarray], Sequence[Result]]
) -> list[Result]:
    """Apply `analyse` to clips [N] in full batches [B, N] of one length.

    The last batch of a length is filled up with its first clip.  Results are in the order
    of the clips.
    """
    done: dict[int, Result] = {}
    for length in sorted({len(clip) for clip in audio}):
        alike = [i for i, clip in enumerate(audio) if len(clip) == length]
        for start in range(0, len(alike), BATCH):
            part = alike[start : start + BATCH]
            filled = part + part[:1] * (BATCH - len(part))
            batch = np.stack([audio[i] for i in filled]).astype(np.float32)
            done |= dict(zip(part, analyse(batch), strict=False))
    return [done[i] for i in range(len(audio))]


def to_row(analysis: Analysis) -> CacheRow:
    """Convert an analysis to arrays for the cache."""
    return {name: np.asarray(value) for name, value in analysis._asdict().items()}


def from_row(row: CacheRow) -> Analysis:
    """Inverse of `to_row`."""
    scalars = {
        "is_tonal": bool(row["is_tonal"]),
        "key": int(row["key"]),
        "beats_per_bar": int(row["beats_per_bar"]),
        "percussive_density": int(row["percussive_density"]),
    }
    return Analysis(**row | scalars)

"""Checks of the arrays of a token store's index (format: `data.tokens.format`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.data.layouts.song import SPLITS

_OPTIONAL = (
    "entry_rms",
    "segment_row",
    "entry_segment",
    "entry_gain",
    "stem_offset",
    "stem",
)


def check_index(manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Check the arrays of an index against the manifest of its store.

    Raises:
      ValueError: an array is missing, unknown, or of another type, shape or range.
    """
    splits, entries = manifest["splits"], manifest["entries"]
    counts = [splits[split]["segments"] for split in SPLITS]
    segments = sum(counts)
    _check(arrays, "segment_song", (segments,))
    _check(arrays, "segment_frames", (segments,), 1, manifest["frames"])
    _check(arrays, "draw_offset", (segments + 1,), 0)
    offsets = arrays["draw_offset"]
    if offsets[0] or np.any(np.diff(offsets) < 0):
        raise ValueError("draw_offset does not rise from 0")
    draws = (int(offsets[-1]),)
    _check(arrays, "draw_context", draws, 0, entries - 1)
    _check(arrays, "draw_target", draws, 0, entries - 1)
    _check(arrays, "draw_instrument", draws, 0, len(CATEGORIES) - 1)
    first = 0
    for split, count in zip(SPLITS, counts, strict=True):
        songs = arrays["segment_song"][first : first + count]
        if count and not 0 <= songs.min() <= songs.max() < len(splits[split]["songs"]):
            raise ValueError(f"segment_song is outside of the songs of {split}")
        first += count
    known = {name for name in arrays if name.startswith(("segment_", "draw_"))}
    if unknown := sorted(set(arrays) - known - set(_OPTIONAL)):
        raise ValueError(f"unknown array {unknown[0]!r}")
    levels = arrays.get("entry_rms")
    if levels is not None and (
        levels.dtype != np.int16 or levels.ndim != 2 or len(levels) != entries
    ):
        raise ValueError(f"entry_rms is {levels.dtype} {levels.shape}")


def _check(
    arrays: Mapping[str, np.ndarray],
    name: str,
    shape: tuple[int, ...],
    least: int | None = None,
    most: int | None = None,
) -> None:
    """Check an array of integers: its shape and range."""
    if name not in arrays:
        raise ValueError(f"no array {name!r}")
    array = arrays[name]
    if array.dtype.kind not in "iu" or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, not integers {shape}")
    if not array.size:
        return
    if (least is not None and array.min() < least) or (
        most is not None and array.max() > most
    ):
        raise ValueError(f"{name} lies in {array.min()}..{array.max()}")

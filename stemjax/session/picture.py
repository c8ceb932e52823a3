"""Pictures of tracks."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax.arrays.mel import mel_power
from stemjax.io.picture import draw_or_warn, save_spectrograms


def save_picture(
    path: pathlib.Path, tracks: Sequence[tuple[str, np.ndarray]], rate: int, **more: Any
) -> None:
    """Draw mel spectrograms of tracks (title, audio [N]) of one length.

    Args:
      path: PNG file.
      rate: Hz.
      **more: `order` and `steps` of `save_spectrograms`.
    """
    rows = [(title, mel_power(audio, sample_rate=rate)) for title, audio in tracks]
    save_spectrograms(path, rows, seconds=len(tracks[0][1]) / rate, **more)


def try_save_picture(path: pathlib.Path, *arguments: Any, **more: Any) -> None:
    """Call `save_picture`; an error is one line on stderr."""
    draw_or_warn(path, functools.partial(save_picture, path, *arguments, **more))

"""Pictures of tracks; a picture that fails never costs the user the audio."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax.arrays.mel import mel_power
from stemjax.io.picture import save_spectrograms


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
    """`save_picture`, but an error is one line on stderr."""
    try:
        save_picture(path, *arguments, **more)
    except Exception as error:  # the audio is written; any fault here is minor
        message = " ".join(str(error).split())
        print(f"warning: {path}: no picture ({message})", file=sys.stderr)

"""Windows of one fixed shape over a signal of any length, for codecs' long audio."""

from collections.abc import Callable
from typing import Any

import numpy as np

Place = Callable[[np.ndarray], Any]
"""Puts an array [B, ...] on the devices that compute with it."""


def to_default_device(array: np.ndarray) -> np.ndarray:
    """`Place` for one device: returns the array; jit transfers it."""
    return array


def in_windows(
    run: Callable[[np.ndarray, int, np.int32 | None], Any],
    signal: np.ndarray,
    *,
    chunk: int,
    halo: int,
    step_in: int = 1,
    step_out: int = 1,
) -> np.ndarray:
    """Run a network on windows of a signal and join the outputs of their chunks.

    A window is a chunk plus `halo` frames on either side.  All windows have one shape,
    so any length of signal needs the same few compiled programs.

    Args:
      run: (window [B, M, ...], number of its first frame, length) -> output [B, M', ...].
        length: [] int32, the samples of the window that are signal; None if the signal
        continues after the window.
      signal: [B, N, ...].
      chunk: frames per chunk.
      halo: frames that the network sees on either side of a frame.
      step_in: samples of input per frame.
      step_out: samples of output per frame.

    Returns: [B, ceil(N / step_in) * step_out, ...].
    """
    samples = signal.shape[1]
    frames = -(-samples // step_in)
    width, parts = (chunk + 2 * halo) * step_in, []
    for first in range(0, frames, chunk):
        start = max(0, first - halo)
        window = signal[:, start * step_in : start * step_in + width]
        if start * step_in + width < samples:
            length = None
        else:
            length = np.int32(window.shape[1])
            window = pad_time(window, width)
        begin = (first - start) * step_out
        output = np.asarray(run(window, start, length))
        parts.append(output[:, begin : begin + chunk * step_out])
    return np.concatenate(parts, axis=1)[:, : frames * step_out]


def pad_time(array: np.ndarray, size: int) -> np.ndarray:
    """Append zeros to the second axis of [B, N, ...] up to `size`."""
    width = [(0, 0)] * array.ndim
    width[1] = (0, size - array.shape[1])
    return np.pad(array, width)

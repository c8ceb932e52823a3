"""Mix a context and its stems to tracks that sum to the mix."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stemjax.io.audio import resample, sum_with_one_gain


class Tracks(NamedTuple):
    """Tracks with one common gain.

    `mix` is the float32 sum of the context and the stems, in this order."""

    context: np.ndarray
    """[N, C] float32."""
    stems: tuple[np.ndarray, ...]
    """[N, C] float32 each."""
    mix: np.ndarray
    """[N, C] float32; its peak is at most 1."""
    gain: float
    """1 unless the sum would clip."""


def mix_down(context: np.ndarray, stems: Sequence[np.ndarray]) -> Tracks:
    """Mix mono stems [N], panned to the centre, with a context [N, C] of equal rate."""
    context = np.asarray(context, np.float32)
    channels = context.shape[1]
    wide = [np.repeat(np.asarray(s, np.float32)[:, None], channels, 1) for s in stems]
    tracks = [context, *wide]
    gain = np.float32(sum_with_one_gain(tracks).gain)
    tracks = [gain * track for track in tracks]
    mix = sum_with_one_gain(tracks).total
    return Tracks(tracks[0], tuple(tracks[1:]), mix, float(gain))


def resample_to_length(
    audio: np.ndarray, rate: int, to_rate: int, samples: int
) -> np.ndarray:
    """Resample audio [N] or [N, C]; cut or pad the result to exactly `samples`."""
    resampled = resample(np.asarray(audio, np.float32), rate, to_rate)[:samples]
    padding = [(0, samples - len(resampled))] + [(0, 0)] * (audio.ndim - 1)
    return np.pad(resampled, padding)

"""A context and its stems to the files that a person hears: they sum to the mix."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stemjax.io.audio import resample


class Tracks(NamedTuple):
    """One gain for all: `mix` is the sum of the context and the stems as they are here,
    added in float32 in this order."""

    context: np.ndarray
    """[N, C] float32."""
    stems: tuple[np.ndarray, ...]
    """[N, C] float32 each."""
    mix: np.ndarray
    """[N, C] float32; its peak is at most 1."""
    gain: float
    """1 unless the sum would clip."""


def mix_down(context: np.ndarray, stems: Sequence[np.ndarray]) -> Tracks:
    """Lay stems [N], played in the middle, over a context [N, C] of the same rate."""
    context = np.asarray(context, np.float32)
    channels = context.shape[1]
    wide = [np.repeat(np.asarray(s, np.float32)[:, None], channels, 1) for s in stems]
    peak = float(np.abs(total([context, *wide])).max(initial=0.0))
    gain = np.float32(1 / max(1.0, peak))
    context, *wide = (gain * track for track in (context, *wide))
    return Tracks(context, tuple(wide), total([context, *wide]), float(gain))


def total(tracks: Sequence[np.ndarray]) -> np.ndarray:
    """The sum in float32, one after another."""
    out = np.array(tracks[0], np.float32)
    for track in tracks[1:]:
        out += track
    return out


def fitted(audio: np.ndarray, rate: int, to_rate: int, samples: int) -> np.ndarray:
    """Audio [N] or [N, C] at another rate, `samples` long: rounding may leave one too
    many or too few."""
    at_rate = resample(np.asarray(audio, np.float32), rate, to_rate)[:samples]
    width = [(0, samples - len(at_rate))] + [(0, 0)] * (audio.ndim - 1)
    return np.pad(at_rate, width)

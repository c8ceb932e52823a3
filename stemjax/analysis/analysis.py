"""What is known of one clip's music: the facts that the eleven descriptors read."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

NO_KEY = -1
NO_CHORD = 24
NUM_TRIADS = 24  # 0-11 major on C, C#, ..., 12-23 minor
METERS = (3, 4, 5, 7)  # beats per bar that are told apart
NO_METER = 0


class Analysis(NamedTuple):
    """Facts of one clip; times in seconds from its start, host arrays in float64."""

    is_tonal: bool
    """Whether there is pitched content; without it the tonal fields mean nothing."""
    key: int
    """0-11 major on C, C#, ..., 12-23 minor; `NO_KEY`."""
    chords: np.ndarray
    """[M, 3]: start, end, triad 0-23 or `NO_CHORD`; consecutive, labels change."""
    sections: np.ndarray
    """[M, 3]: start, end, label 0-5 by first appearance."""
    notes: np.ndarray
    """[M, 3]: onset, offset, MIDI pitch (an integer); sorted by onset, then pitch."""
    beats: np.ndarray
    """[M]: times of beats."""
    beats_per_bar: int
    """One of `METERS`, or `NO_METER`."""
    percussive_density: int
    """Most percussive notes in any window of 0.6 s."""


class Analyser(NamedTuple):
    """A way to compute analyses of mixes."""

    label: str
    """Name of the settings in reports: only values with equal labels are comparable."""
    params: dict[str, Any]
    """JSON values on which the analyses depend; a cache is keyed by them."""
    analyse: Callable[[np.ndarray], list[Analysis]]
    """Mixes [B, N] at 16 kHz, N whole seconds -> B analyses."""

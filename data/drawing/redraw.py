"""Random draws that are repeated until what they drew is audible (Assumption A19)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.train import PairConfig


class Candidate(NamedTuple):
    """One try."""

    value: Any
    is_audible: bool
    loudness_db: float = 0.0
    """Level of the quietest part, which ranks inaudible candidates."""


class Drawn(NamedTuple):
    """The candidate that was taken."""

    value: Any
    redraws: int
    """Candidates before it."""
    is_fallback: bool
    """Whether no candidate was audible and this is the loudest."""


def redraw_until_audible(draw: Callable[[], Candidate], tries: int) -> Drawn:
    """The first audible candidate of 1 + `tries`, otherwise the loudest of them."""
    best = None
    for attempt in range(1 + tries):
        candidate = draw()
        if candidate.is_audible:
            return Drawn(candidate.value, attempt, False)
        if best is None or candidate.loudness_db > best.loudness_db:
            best = candidate
    return Drawn(best.value, tries, True)


def candidate(value: Any, levels: Sequence[np.ndarray], pairs: PairConfig) -> Candidate:
    """A candidate with the levels of its parts over its crop, [F] dB per 0.1 s each.

    It is audible if each part is active in enough of the crop's frames (A19).
    """
    is_audible = all(
        np.mean(level > pairs.silence_db) >= pairs.active_fraction for level in levels
    )
    return Candidate(value, is_audible, quietest(levels) if not is_audible else 0.0)


def quietest(levels: Sequence[np.ndarray]) -> float:
    """Mean level in dB of the quietest part."""
    return min(float(np.mean(level)) for level in levels)

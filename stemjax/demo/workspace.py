"""State of one user of the page; it holds no weights."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stemjax.io.errors import UserError
from stemjax.session.layering import LayeredStem
from stemjax.session.mixing import resample_to_length
from stemjax.session.session import Session

CONTEXT = "context"
"""Name of the context among the tracks."""


class Workspace(NamedTuple):
    """A session with its layers and the variations that the user can choose from."""

    session: Session
    stems: tuple[LayeredStem, ...] = ()
    """Layers that the user kept."""
    candidates: tuple[LayeredStem, ...] = ()
    """Variations of the next layer."""

    def tracks(self) -> dict[str, np.ndarray]:
        """Audio [N] of the context and the layers, by name."""
        stems = {f"{s.layer.id} {s.layer.instrument}": s.audio for s in self.stems}
        return {CONTEXT: self.session.context, **stems}


def keep_candidate(workspace: Workspace, number: int) -> Workspace:
    """Add candidate `number`, from 1, as a layer.

    Raises:
      UserError: no such candidate.
    """
    if not 1 <= number <= len(workspace.candidates):
        raise UserError("no such variation; generate stems first")
    stems = (*workspace.stems, workspace.candidates[number - 1])
    return workspace._replace(stems=stems, candidates=())


def remove_last_layer(workspace: Workspace) -> Workspace:
    """Remove the last layer and the candidates."""
    return workspace._replace(stems=workspace.stems[:-1], candidates=())


def audible_tracks(
    tracks: Sequence[str], solo: Sequence[str], muted: Sequence[str]
) -> list[str]:
    """Names of the audible tracks: the soloed ones, or all if none is, minus the muted."""
    return [t for t in tracks if t not in muted and (not solo or t in solo)]


def to_int16(audio: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """Convert audio [N] to 16-bit samples at another rate, for the browser's player."""
    samples = round(len(audio) * to_rate / rate)
    resampled = resample_to_length(audio, rate, to_rate, samples)
    return np.round(np.clip(resampled, -1, 1) * 32767).astype(np.int16)

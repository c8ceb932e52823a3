"""Heartbeat of a run: `heartbeat.json`, rewritten every few seconds by one process."""

import dataclasses
import enum
import os
import socket
import time
from collections.abc import Callable

from etils import epath

from stemjax.config.plain_values import to_json
from stemjax.io.json_file import read_as, write_json

HEARTBEAT = "heartbeat.json"


class RunPhase(enum.Enum):
    """Phase of a run when it wrote its heartbeat."""

    RUNNING = "running"
    SAVED = "saved"
    """A signal ended the run after a checkpoint; the same command resumes it."""


@dataclasses.dataclass(frozen=True)
class Heartbeat:
    """Contents of heartbeat.json."""

    time: float
    """Unix time in seconds."""
    step: int
    """Optimiser steps done."""
    host: str
    """Name of the machine."""
    pid: int
    """Number of the process."""
    state: RunPhase
    """Phase of the run."""


def write(
    workdir: str | os.PathLike,
    step: int,
    phase: RunPhase,
    clock: Callable[[], float] = time.time,
) -> None:
    """Write the heartbeat of this moment."""
    beat = Heartbeat(clock(), step, socket.gethostname(), os.getpid(), phase)
    write_json(epath.Path(workdir) / HEARTBEAT, to_json(beat), indent=None)


def read(workdir: str | os.PathLike) -> Heartbeat | None:
    """The last heartbeat; None without one.

    Raises:
      UserError: one that cannot be read.
    """
    path = epath.Path(workdir) / HEARTBEAT
    if not path.exists():
        return None
    return read_as(
        Heartbeat, path, mend="delete it; a run that is alive writes another"
    )

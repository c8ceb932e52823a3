"""Heartbeat of a run: `heartbeat.json`, rewritten every few seconds by one process."""

import enum
import json
import os
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from etils import epath

from stemjax.io.atomic import write_text

HEARTBEAT = "heartbeat.json"


class RunPhase(enum.Enum):
    """Phase of a run when it wrote its heartbeat."""

    RUNNING = "running"
    SAVED = "saved"
    """SIGTERM ended the run after a checkpoint; the same command resumes it."""


class Heartbeat(NamedTuple):
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
    text = json.dumps(beat._asdict() | {"state": phase.value})
    write_text(epath.Path(workdir) / HEARTBEAT, text + "\n")


def read(workdir: str | os.PathLike) -> Heartbeat | None:
    """The last heartbeat; None without one that can be read."""
    path = epath.Path(workdir) / HEARTBEAT
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return Heartbeat(**saved | {"state": RunPhase(saved["state"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None

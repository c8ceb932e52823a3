"""A run's sign of life: `heartbeat.json`, rewritten by the process that logs."""

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


class State(enum.Enum):
    RUNNING = "running"
    SAVED = "saved"  # SIGTERM came; the same command goes on


class Heartbeat(NamedTuple):
    """time: Unix seconds.  step: optimiser steps done."""

    time: float
    step: int
    host: str
    pid: int
    state: State


def write(
    workdir: str | os.PathLike,
    step: int,
    state: State,
    clock: Callable[[], float] = time.time,
) -> None:
    """Say that the run was alive now."""
    beat = Heartbeat(clock(), step, socket.gethostname(), os.getpid(), state)
    text = json.dumps(beat._asdict() | {"state": state.value})
    write_text(epath.Path(workdir) / HEARTBEAT, text + "\n")


def read(workdir: str | os.PathLike) -> Heartbeat | None:
    """The last sign of life; None where there was none, or none that can be read."""
    path = epath.Path(workdir) / HEARTBEAT
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return Heartbeat(**saved | {"state": State(saved["state"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None

"""SIGTERM during training: all processes end after the same step."""

import signal
import threading
from typing import Self

import jax
import orbax.checkpoint as ocp


class Termination:
    """Request by SIGTERM to save and end after the current step.

    A single process handles the signal itself.  Of several, each calls orbax's preemption
    check once per step: a signal to any of them makes all stop at the same step.
    """

    def __init__(self, series: ocp.CheckpointManager):
        self._series = series
        self._is_shared = jax.distributed.is_initialized()

    def __enter__(self) -> Self:
        self._is_set = threading.Event()
        self._before = None
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and not self._is_shared:
            self._before = signal.signal(
                signal.SIGTERM, lambda number, frame: self._is_set.set()
            )
        return self

    def __exit__(self, *error) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def is_due(self, step: int) -> bool:
        """Whether to end now; every process must call it before every step."""
        if self._is_shared:
            return self._series.reached_preemption(step)
        return self._is_set.is_set()

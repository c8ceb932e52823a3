"""SIGTERM and SIGINT during training: all processes end after the same step."""

import os
import signal
from typing import Self

import jax
import orbax.checkpoint as ocp

from stemjax.io.process.signals import CONTINUES, EndSignals


class Termination:
    """Request by SIGTERM or SIGINT to save and end after the current step.

    Before the first step there is nothing to save: a signal ends the process at once, and
    so does a second one later.  Of several processes, each calls orbax's preemption check
    once per step: a signal to any of them makes all stop at the same step.
    """

    def __init__(self, series: ocp.CheckpointManager):
        self._series = series
        self._is_shared = jax.distributed.is_initialized()
        # of several processes, JAX itself watches SIGTERM, and SIGINT becomes one
        watched = (
            (signal.SIGINT,) if self._is_shared else (signal.SIGINT, signal.SIGTERM)
        )
        self._signals = EndSignals(CONTINUES, watched)
        self._is_passed_on = False

    def __enter__(self) -> Self:
        self._signals.start()
        return self

    def __exit__(self, *error) -> None:
        self._signals.stop()

    @property
    def received(self) -> signal.Signals:
        """The signal to this process; SIGTERM if another process received it."""
        return self._signals.received or signal.SIGTERM

    def defer(self) -> None:
        """A step is done: from here on a signal lets the run save first."""
        self._signals.defer()

    def is_due(self, step: int) -> bool:
        """Whether to end now; every process must call it before every step."""
        if not self._is_shared:
            return self._signals.received is not None
        if self._signals.received and not self._is_passed_on:
            os.kill(os.getpid(), signal.SIGTERM)
            self._is_passed_on = True
        return self._series.reached_preemption(step)

"""One command of a recipe: its own process, a time limit, a log file."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stemjax.io.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
GRACE_SECONDS = 45.0  # to save a checkpoint after SIGTERM
LINE_SECONDS = 30.0  # between signs of life
_USER = 2  # exit code of bad input; the last line says what


class CommandFailed(RuntimeError):
    """A command ended by itself with an error; the message ends with its log."""


class Ending(NamedTuple):
    """How a command ended."""

    seconds: float
    is_stopped: bool  # the time limit came first


class Clock:
    """What is left of a call's minutes."""

    def __init__(self, minutes: float):
        self._end = time.monotonic() + minutes * 60

    def left(self) -> float:
        """Seconds, never below 0."""
        return max(0.0, self._end - time.monotonic())


def run(
    command: Sequence[str],
    log: Path,
    seconds: float,
    *,
    environment: Mapping[str, str],
) -> Ending:
    """Run to the end, or for `seconds`, then SIGTERM and, much later, SIGKILL.

    The output goes to the end of `log`; its last line is shown now and then.

    Raises:
      UserError: the command said that its input is bad.
      CommandFailed: it failed otherwise.
    """
    started = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        since = file.tell()
        process = subprocess.Popen(
            list(command),
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | dict(environment),
            start_new_session=True,  # a signal reaches its worker processes too
        )
        try:
            is_stopped = not _ends_within(process, seconds, log, since)
        finally:
            _end(process)
    ending = Ending(time.monotonic() - started, is_stopped)
    if is_stopped or process.returncode == 0:
        return ending
    lines = _lines(log, since)
    if process.returncode == _USER:
        raise UserError(lines[-1].removeprefix("error: ") if lines else str(log))
    tail = "\n".join(lines[-20:])
    raise CommandFailed(f"{log.stem} ended with code {process.returncode}:\n{tail}")


def _ends_within(
    process: subprocess.Popen, seconds: float, log: Path, since: int
) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            process.wait(min(left, LINE_SECONDS))
            return True
        except subprocess.TimeoutExpired:
            if lines := _lines(log, since):
                print(f"{log.stem}: {lines[-1][:160]}", file=sys.stderr, flush=True)
    return process.poll() is not None


def _end(process: subprocess.Popen) -> None:
    """Make sure that nothing of the command runs on, its workers included."""
    for number, wait in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait)


def _lines(log: Path, since: int) -> list[str]:
    """Lines at the log's end, from byte `since`; what a bar redraws counts as lines."""
    with log.open("rb") as file:
        file.seek(max(since, log.stat().st_size - 20_000))
        text = file.read().decode(errors="replace")
    return [line for line in text.replace("\r", "\n").split("\n") if line.strip()]

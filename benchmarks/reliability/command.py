"""Running a command of the checkout, and judging how it ended."""

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]
HANG_SECONDS = 180.0
"""Longest end of a command, on a busy machine."""
XLA = pathlib.Path(tempfile.gettempdir()) / "stemjax-reliability-xla"
"""Compiled programs, shared by all commands."""
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "OPENBLAS_NUM_THREADS": "1",
    "JAX_COMPILATION_CACHE_DIR": os.fspath(XLA),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "PYTHONUNBUFFERED": "1",
}


@dataclasses.dataclass(frozen=True)
class CommandEnd:
    """How a command ended."""

    code: int | None
    """Exit code, minus the signal's number for a death by signal; None: it hung."""
    stdout: str
    stderr: str
    seconds: float

    @property
    def has_traceback(self) -> bool:
        """Whether it printed a Python traceback or the crash of native code."""
        text = self.stdout + self.stderr
        words = ("Traceback (most recent", "Exception ignored", "Fatal Python error")
        return any(word in text for word in words)

    @property
    def errors(self) -> list[str]:
        """Lines on stderr, without progress bars."""
        lines = self.stderr.replace("\r", "\n").splitlines()
        return [s for s in lines if s.strip() and "it/s]" not in s and "|" not in s]

    @property
    def is_refusal(self) -> bool:
        """Whether it ended with exit code 2 and one error, after notes on its work."""
        lines = [line for line in self.errors if line.startswith("error: ")]
        is_one = len(lines) == 1 and self.errors[-1] == lines[0]
        return self.code == 2 and is_one and not self.has_traceback


def start(
    arguments: Sequence[object], log: pathlib.Path, **options
) -> subprocess.Popen:
    """Start `python ARGUMENTS` in the checkout; its output goes to LOG.out, LOG.err."""
    environment = os.environ | ENVIRONMENT | options.pop("env", {})
    with open(f"{log}.out", "w") as out, open(f"{log}.err", "w") as err:
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            **options,
        )


def finish(
    process: subprocess.Popen, log: pathlib.Path, seconds: float = HANG_SECONDS
) -> CommandEnd:
    """Wait for the end; a command that hangs is killed."""
    began = time.monotonic()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        code = None
    texts = [
        pathlib.Path(f"{log}.{end}").read_text(errors="replace")
        for end in ("out", "err")
    ]
    return CommandEnd(code, *texts, seconds=time.monotonic() - began)


def run(
    arguments: Sequence[object],
    log: pathlib.Path,
    seconds: float = 900.0,
    env: Mapping[str, str] | None = None,
) -> CommandEnd:
    """Run a command to its end."""
    return finish(start(arguments, log, env=dict(env or {})), log, seconds)


def wait_until(
    is_there: Callable[[], bool], process: subprocess.Popen, seconds: float = 600.0
) -> bool:
    """Wait for a condition; False: the process ended first, or it took too long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if is_there():
            return True
        time.sleep(0.01)
    return False


def catches_sigterm(process: subprocess.Popen) -> bool:
    """Whether the process has taken over its signals (Linux)."""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return False
    mask = next(s for s in status.splitlines() if s.startswith("SigCgt:"))
    return bool(int(mask.split()[1], 16) >> 14 & 1)

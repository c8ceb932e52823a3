"""train.py in this process: its arguments, output and exit code as a user sees them."""

import contextlib
import io
import signal
from typing import NamedTuple
from unittest import mock

from stemjax.cli.train.main import main


class Output(NamedTuple):
    """Text that a command printed."""

    stdout: str
    stderr: str


def train(*args: object, code: int = 0) -> Output:
    """`python train.py ARGS...` without a new process; it must exit with `code`.

    It joins no cluster: jax, which has started here, allows that only before.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()) as stdout,
            contextlib.redirect_stderr(io.StringIO()) as stderr,
            mock.patch("stemjax.train.processes.join"),
        ):
            exit_code = _exit_code([str(arg) for arg in args])
    finally:
        signal.signal(signal.SIGTERM, before)
    output = Output(stdout.getvalue(), stderr.getvalue())
    assert exit_code == code, output
    return output


def _exit_code(argv: list[str]) -> int:
    try:
        main(argv)
    except SystemExit as ending:
        return ending.code or 0
    return 0

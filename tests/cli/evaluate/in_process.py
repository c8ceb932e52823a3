"""`evaluate.py` in the test's own process, which has jax and its compiled programs."""

import contextlib
import io
from typing import NamedTuple
from unittest import mock

from stemjax.cli.evaluate.main import main


class Output(NamedTuple):
    """What a command printed."""

    stdout: str
    stderr: str


def evaluate(*words, code: int = 0) -> Output:
    """Run `evaluate.py WORDS`; it must end with the exit code `code`."""
    stdout, stderr, status = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch("stemjax.io.process.allocator.keep_memory"),
    ):
        try:
            main([str(word) for word in words], prog="evaluate.py")
        except SystemExit as end:
            status = end.code
    assert status == code, stdout.getvalue() + stderr.getvalue()
    return Output(stdout.getvalue(), stderr.getvalue())


def error_line(*words) -> str:
    """The one line on stderr of a command that ends with bad input."""
    stderr = evaluate(*words, code=2).stderr
    assert stderr.startswith("error: ") and stderr.count("\n") == 1, stderr
    return stderr

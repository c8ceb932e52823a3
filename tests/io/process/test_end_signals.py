"""SIGINT and SIGTERM end a process with one line, or are kept until its work is saved."""

import signal
import subprocess
import sys

import pytest

from stemjax.io.process.signals import EndSignals

COMPILING = """
import hashlib
from stemjax.io.process.signals import EndSignals
EndSignals("do it again").start()
print("ready", flush=True)
hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # minutes in C, like a compilation
"""
TRAINING = """
import time
from stemjax.io.process.signals import EndSignals
with EndSignals("do it again") as signals:
    signals.defer()
    print("ready", flush=True)
    while signals.received is None:
        pass
    print(signals.received.name, flush=True)
    time.sleep(600)
"""


def start(source):
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    process = subprocess.Popen([sys.executable, "-c", source], text=True, **pipes)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_the_process_at_once_even_in_native_code(number, code, word):
    process = start(COMPILING)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (code, f"{word}: do it again\n")


def test_a_deferred_signal_is_kept_and_the_second_one_ends_the_process():
    process = start(TRAINING)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "SIGTERM\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "interrupted: do it again\n")


def test_what_was_there_before_comes_back():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with EndSignals() as outer:
        outer.defer()
        with EndSignals() as inner:
            inner.defer()
        signal.raise_signal(signal.SIGTERM)
        while outer.received is None:
            pass
        assert inner.received is None
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before

"""One process in a folder: the lock names its holder and ends with it."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from stemjax.io.errors import UserError
from stemjax.io.process import lock
from stemjax.io.process.lock import LOCK, only_process

HOLDER = """
import sys
from stemjax.io.process.lock import only_process
with only_process(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path / "run"."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_who_holds(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    with pytest.raises(UserError, match=f"process {holder.pid} on .*, since 2"):
        with only_process(tmp_path / "run"):
            pass
    assert (tmp_path / "run" / LOCK).is_file()


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    with only_process(tmp_path / "run"):
        assert str(os.getpid()) in (tmp_path / "run" / LOCK).read_text()
    assert os.listdir(tmp_path / "run") == []


def test_a_waiting_process_takes_a_lock_whose_file_was_just_removed(tmp_path):
    inside = []

    def work():
        with only_process(tmp_path):
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == [] and os.listdir(tmp_path) == []


def test_folders_made_for_the_lock_stay_only_if_they_hold_something(tmp_path):
    with pytest.raises(UserError), only_process(tmp_path / "a" / "b"):
        raise UserError("bad input")
    assert not (tmp_path / "a").exists()
    with only_process(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").touch()
    assert os.listdir(tmp_path / "a" / "b") == ["file"]

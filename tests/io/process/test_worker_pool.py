"""Workers end with their parent, and do not hear Ctrl-C."""

import os
import signal
import subprocess
import sys
import time

import pytest

PARENT = """
import os, time
from stemjax.io.process.worker_pool import worker_pool

if __name__ == "__main__":
    with worker_pool(2) as pool:
        pids = {pool.submit(os.getpid).result() for _ in range(20)}
        jobs = [pool.submit(time.sleep, 600) for _ in range(2)]
        print(*pids, flush=True)
        time.sleep(600)
"""


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
def test_workers_of_a_killed_process_end_and_ctrl_c_does_not_reach_them(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    process = subprocess.Popen([sys.executable, script], env=environment, **pipes)
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.5)
    assert not any(map(is_gone, workers))
    process.kill()
    until = time.monotonic() + 20
    while not all(map(is_gone, workers)):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert process.communicate()[1] == ""

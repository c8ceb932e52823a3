"""train.py as two processes of one run, and on several devices."""

import os
import socket
import subprocess
import sys

import pytest

from stemjax.train import metrics
from tests.train.launch import ROOT

ENV = os.environ | {"JAX_PLATFORMS": "cpu"}
pytestmark = [pytest.mark.entry, pytest.mark.slow]


def start(*args, **env):
    return subprocess.Popen(
        [sys.executable, "train.py", "stemgen-tiny", *map(str, args)],
        cwd=ROOT,
        env=ENV | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def both(*args):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    cluster = ("--coordinator", f"localhost:{port}", "--num-processes", 2)
    running = [start(*args, *cluster, "--process-id", number) for number in range(2)]
    return [
        (*process.communicate(timeout=300), process.returncode) for process in running
    ]


def losses(workdir):
    lines = metrics.read_lines(workdir / "metrics.jsonl")
    return {line["step"]: line["loss"] for line in lines}


def test_two_processes_then_one_on_another_mesh_then_an_end(tmp_path):
    """Parameters over both processes, data over both; clips by the first alone."""
    two, one = tmp_path / "two", tmp_path / "one"
    clips = ("--loop.clips-every", 2)
    mesh = ("--mesh.data", 1, "--mesh.fsdp", 2)
    for out, error, code in both("--steps", 2, "--workdir", two, *mesh, *clips):
        assert code == 0, out + error
    assert len(list((two / "clips" / "2").glob("*.png"))) == 2  # rows of the first
    four = ("--mesh.data", 4)  # refused where there are fewer devices
    process = start("--steps", 4, "--workdir", two, *four, JAX_NUM_CPU_DEVICES="4")
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0 and "resuming at step 2" in out, error
    process = start("--steps", 4, "--workdir", one)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert list(losses(two)) == [1, 2, 3, 4]
    # float32 sums over shares of the batch, in another order
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)


def test_a_batch_that_does_not_divide_names_the_nearest_sizes(tmp_path):
    for out, error, code in both("--batch-size", 5, "--workdir", tmp_path / "run"):
        assert code == 2 and out == "" or "Gloo" in out
        (message,) = [line for line in error.splitlines() if line.startswith("error:")]
        assert "--batch-size: batch 5 does not divide into 2 equal parts" in message
        assert message.endswith("use 4 or 6") and "Traceback" not in error
    assert not (tmp_path / "run" / "metrics.jsonl").exists()

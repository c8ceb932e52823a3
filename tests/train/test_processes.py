"""Two processes on one machine as one run: the same losses, and one end for both."""

import signal
import socket
import time

import jax
import numpy as np
import pytest

from stemjax.config.runs import Invocation
from stemjax.config.train import MeshConfig
from stemjax.io.errors import UserError
from stemjax.nn.axes import make_mesh
from stemjax.train import heartbeat, processes
from tests.train.launch import (
    PAUSE,
    STEPS,
    assert_same_end,
    lines,
    start,
    wait_for,
    weights,
)

GONE_SECONDS = 60  # within which the others must notice a process that died


def start_both(workdir, **options):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return [
        start(workdir, PROCESS=f"localhost:{port},2,{number}", **options)
        for number in range(2)
    ]


def outputs(both, code, timeout=120):
    """What the processes printed; all must end with `code`."""
    printed = [process.communicate(timeout=timeout)[0] for process in both]
    assert [process.returncode for process in both] == [code, code], printed
    return printed


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("straight")
    first, second = outputs(start_both(workdir), 0)
    assert f"finished at step {STEPS}" in first and "finished" not in second
    return workdir


@pytest.mark.slow
def test_two_processes_train_like_one(straight, tmp_path):
    process = start(tmp_path)
    assert process.wait(600) == 0, process.communicate()[0]
    process.communicate()
    (two, _), (one, _) = weights(straight), weights(tmp_path)
    # the same sums in another order, through 6 steps of Adam
    for a, b in zip(jax.tree.leaves(two), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    for (s, a), (t, b) in zip(lines(straight), lines(tmp_path), strict=True):
        assert s == t and a == pytest.approx(b, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_where_one_dies_the_other_ends_and_both_go_on(straight, tmp_path, victim):
    both = start_both(tmp_path, pause=PAUSE)
    wait_for(lambda: len(lines(tmp_path)) >= 3, both[victim])
    both[victim].kill()
    killed = time.monotonic()
    out, _ = both[1 - victim].communicate(timeout=120)
    assert both[1 - victim].returncode not in (0, None), out
    assert time.monotonic() - killed < GONE_SECONDS
    both[victim].communicate(timeout=120)
    assert not (tmp_path / "DONE").exists()
    outputs(start_both(tmp_path), 0)
    assert_same_end(tmp_path, straight)


@pytest.mark.slow
def test_sigterm_to_one_makes_both_save_the_same_step(straight, tmp_path):
    both = start_both(tmp_path, pause=PAUSE)
    wait_for(lambda: len(lines(tmp_path)) >= 2, both[1])
    both[1].send_signal(signal.SIGTERM)
    first, _ = outputs(both, 143)
    _, step = weights(tmp_path)
    assert 2 <= step < STEPS and f"SIGTERM, saved step {step}" in first
    assert not (tmp_path / "DONE").exists()
    beat = heartbeat.read(tmp_path)
    assert (beat.state, beat.step) == (heartbeat.RunPhase.SAVED, step)
    first, _ = outputs(start_both(tmp_path), 0)
    assert f"resuming at step {step}" in first
    assert_same_end(tmp_path, straight)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"num_processes": 2}, "need --coordinator"),
        ({"coordinator": "host"}, "give HOST:PORT"),
        ({"coordinator": "h:1", "num_processes": 2, "process_id": 2}, "--process-id 2"),
        ({"coordinator": "h:1", "num_processes": 2}, "--process-id None of"),
        ({"process_id": 1, "num_processes": 1}, "need --coordinator"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, message):
    with pytest.raises(UserError, match=message):
        processes.join(Invocation(**flags))


def test_one_process_joins_no_cluster(monkeypatch):
    def initialize(*args, **more):
        raise AssertionError("initialized")

    monkeypatch.setattr(processes.jax.distributed, "initialize", initialize)
    processes.join(Invocation(num_processes=1))
    processes.join(Invocation(num_processes=1, process_id=0))
    with pytest.raises(AssertionError, match="initialized"):
        processes.join(Invocation())


def test_a_process_alone_makes_all_rows():
    assert processes.share_of_batch(make_mesh(MeshConfig()), 6) == (0, 1)
    assert processes.is_writer() and processes.is_true_everywhere(True)
    assert not processes.is_true_everywhere(False)

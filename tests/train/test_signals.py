"""Runs that end by a signal, and runs on eight devices, each in a process."""

import signal
import time

import jax
import numpy as np
import pytest

from tests.train.launch import (
    PAUSE,
    STEPS,
    assert_same_end,
    finish,
    lines,
    start,
    wait_for,
    weights,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("straight")
    finish(start(workdir))
    return workdir


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_a_signal_saves_and_the_same_command_goes_on(straight, tmp_path, number, code):
    process = start(tmp_path, pause=PAUSE)
    wait_for(lambda: len(lines(tmp_path)) >= 3, process)
    process.send_signal(number)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == code and "Traceback" not in out, out
    assert f"{number.name}, saved step" in out
    _, step = weights(tmp_path)
    assert 3 <= step < STEPS and not (tmp_path / "DONE").exists()
    assert f"resuming at step {step}" in finish(start(tmp_path))
    assert_same_end(tmp_path, straight)


def test_sigkill_loses_nothing_but_the_steps_since_the_checkpoint(straight, tmp_path):
    process = start(tmp_path, pause=PAUSE)
    wait_for(lambda: (tmp_path / "checkpoints" / "2").is_dir(), process)
    wait_for(lambda: len(lines(tmp_path)) >= 3, process)
    process.kill()
    process.communicate(timeout=120)
    assert "resuming at step 2" in finish(start(tmp_path))
    assert_same_end(tmp_path, straight)


def test_killed_again_and_again_a_run_logs_the_same_losses(straight, tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(4):
        process = start(tmp_path, pause=0.1)
        wait_for(lambda: (tmp_path / "run.json").is_file(), process)
        time.sleep(rng.uniform(0.5, 4.0))  # in starting, a step, a save, or after all
        process.kill()
        process.communicate(timeout=120)
    finish(start(tmp_path))
    assert_same_end(tmp_path, straight)


def test_eight_devices_train_like_one_and_resume_on_another_mesh(straight, tmp_path):
    eight = {"JAX_NUM_CPU_DEVICES": "8"}
    finish(start(tmp_path, steps=3, MESH="2,2,2", **eight))
    finish(start(tmp_path, MESH="4,1,2", **eight))
    (many, _), (one, _) = weights(tmp_path), weights(straight)
    # sums over 8 shares in another order, through 6 steps of Adam
    for a, b in zip(jax.tree.leaves(many), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    for (s, a), (t, b) in zip(lines(tmp_path), lines(straight), strict=True):
        assert s == t and a == pytest.approx(b, abs=1e-4)

"""Runs that are killed, politely or not, and many devices: each in its own process."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np
import pytest

from stemjax.train import metrics
from stemjax.train.checkpoint import restore_params

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = 6
CACHED = {
    "JAX_PLATFORMS": "cpu",
    "JAX_COMPILATION_CACHE_DIR": tempfile.mkdtemp(prefix="stemjax-xla-"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
}


def start(workdir, *, steps=STEPS, pause=0.0, **env):
    command = [sys.executable, "-W", "error", "-m", "tests.train.run_toy"]
    return subprocess.Popen(
        [*command, str(workdir), str(steps), str(pause)],
        cwd=ROOT,
        env=os.environ | CACHED | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process) -> str:
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    return out


def wait_for(is_there, process, seconds=600):
    until = time.monotonic() + seconds
    while not is_there():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.02)


def lines(workdir):
    return [
        (x["step"], x["loss"])
        for x in metrics.read_lines(pathlib.Path(workdir) / metrics.METRICS)
    ]


def weights(workdir):
    params, model_state, step = restore_params(workdir, newest=True)
    return jax.tree.map(np.asarray, (params, model_state)), step


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("straight")
    finish(start(workdir))
    return workdir


def assert_same_end(workdir, straight):
    (a, step), (b, straight_step) = weights(workdir), weights(straight)
    assert step == straight_step == STEPS
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))
    assert lines(workdir) == lines(straight)


def test_sigterm_saves_and_exits_143_and_the_same_command_goes_on(straight, tmp_path):
    process = start(tmp_path, pause=0.5)
    wait_for(lambda: len(lines(tmp_path)) >= 3, process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 143, out
    _, step = weights(tmp_path)
    assert 3 <= step < STEPS and not (tmp_path / "DONE").exists()
    assert f"resuming at step {step}" in finish(start(tmp_path))
    assert_same_end(tmp_path, straight)


def test_sigkill_loses_nothing_but_the_steps_since_the_checkpoint(straight, tmp_path):
    process = start(tmp_path, pause=0.5)
    wait_for(lambda: (tmp_path / "checkpoints" / "2").is_dir(), process)
    wait_for(lambda: len(lines(tmp_path)) >= 3, process)
    process.kill()
    process.communicate(timeout=600)
    assert "resuming at step 2" in finish(start(tmp_path))
    assert_same_end(tmp_path, straight)


def test_eight_devices_train_like_one_and_resume_on_another_mesh(straight, tmp_path):
    eight = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    finish(start(tmp_path, steps=3, MESH="2,2,2", **eight))
    finish(start(tmp_path, MESH="4,1,2", **eight))
    (many, _), (one, _) = weights(tmp_path), weights(straight)
    # sums over 8 shares in another order, through 6 steps of Adam
    for a, b in zip(jax.tree.leaves(many), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    for (s, a), (t, b) in zip(lines(tmp_path), lines(straight), strict=True):
        assert s == t and a == pytest.approx(b, abs=1e-4)

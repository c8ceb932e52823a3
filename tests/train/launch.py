"""Starting the toy as a program, and what it leaves behind."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np

from stemjax.io.remote import as_path
from stemjax.train import metrics
from stemjax.train.checkpoint import restore_params

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = 6
PAUSE = 2.0  # seconds before a step: JAX looks for a signal once in a second
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
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    return out


def wait_for(is_there, process, seconds=120):
    until = time.monotonic() + seconds
    while not is_there():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.02)


def lines(workdir):
    return [
        (x["step"], x["loss"])
        for x in metrics.read_lines(as_path(workdir) / metrics.METRICS)
    ]


def weights(workdir):
    params, model_state, step = restore_params(workdir, newest=True)
    return jax.tree.map(np.asarray, (params, model_state)), step


def assert_same_end(workdir, straight):
    """Bitwise: weights, model state and every logged loss."""
    (a, step), (b, straight_step) = weights(workdir), weights(straight)
    assert step == straight_step == STEPS
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))
    assert lines(workdir) == lines(straight)

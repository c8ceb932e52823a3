"""The codec's task trained: it learns a batch, and four devices agree with one."""

import os
import pathlib
import subprocess
import sys

import jax
import optax
import pytest

from stemjax.config.presets import CODEC_TINY
from stemjax.config.runs import CodecRun
from stemjax.tasks import codec as codec_task
from tests.tasks.test_codec import music


def train(run: CodecRun, batch, steps: int, rate: float):
    """Plain Adam with the trainer's codebook updates: mel distances, first counts."""
    task, tx = codec_task.make(run), optax.adam(rate)

    @jax.jit
    def step(params, state, opt_state, key):
        k_loss, k_update = jax.random.split(key)
        (_, out), grads = jax.value_and_grad(task.loss, has_aux=True)(
            params, state, None, batch, k_loss
        )
        updates, opt_state = tx.update(grads, opt_state, params)
        state = task.update_state(state, out.stats, k_update)
        return optax.apply_updates(params, updates), state, opt_state, out

    params, state = jax.jit(task.init)(jax.random.key(0))
    state = jax.jit(task.prepare)(params, state, None, batch, jax.random.key(1))
    opt_state, mels, counts = tx.init(params), [], []
    for i in range(steps):
        key = jax.random.fold_in(jax.random.key(2), i)
        params, state, opt_state, out = step(params, state, opt_state, key)
        total, count = out.sums["mel"]
        mels.append(float(total / count))
        counts.append(out.stats["count"])
    return mels, counts[0]


@pytest.mark.slow
def test_codec_tiny_learns_a_fixed_batch():
    """An untrained codec stays where it is; 40 steps halve the distance (measured)."""
    batch = {"audio": music(2, 16_000)}
    mels, counts = train(CODEC_TINY, batch, steps=40, rate=3e-3)
    assert mels[-1] < 0.67 * mels[0]
    # k-means gives most of the 50 latents a code of their own; codebooks that do not
    # fit give all of them one
    assert int((counts > 0).sum(axis=1).min()) >= 30


@pytest.mark.slow
def test_four_devices_make_the_codebooks_of_one():
    done = subprocess.run(
        [sys.executable, "-m", "tests.tasks.sharded_codec"],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "4"},
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    word, smallest, largest = done.stdout.split()
    # cluster sizes began equal: the codebooks have moved
    assert word == "equal" and float(smallest) < float(largest)

"""A task small enough to check by hand, with every part that the trainer serves."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from flax.core import meta

from stemjax.config.runs import CommonRun
from stemjax.config.train import LoopConfig, OptimConfig
from stemjax.tasks.task import LossOut, Task

D = 8


def init(key):
    k_w, k_e = jax.random.split(key)
    params = {
        "w": meta.Partitioned(0.1 * jax.random.normal(k_w, (D, D)), ("embed", "mlp")),
        "bias": jnp.zeros(D),
        "embedding": jax.random.normal(k_e, (3, D)),
    }
    state = {"seen": jnp.zeros(D), "is_started": jnp.zeros((), bool)}
    return params, state | {"weak": jnp.full(2, 1.0)}


def _predict(params, frozen, x):
    return jnp.tanh(x @ params["w"] + params["bias"]) * frozen["gain"]


def loss(params, model_state, frozen, batch, key, noise=0.01):
    noise = noise * jax.random.normal(key, batch["x"].shape)
    y = _predict(params, frozen, batch["x"] + noise)
    squares = jnp.square(y - batch["y"]).mean(axis=1)
    count = jnp.asarray(squares.size, jnp.float32)
    sums = {"squares": (squares.sum(), count)}
    return squares.mean(), LossOut(sums, {"seen": batch["x"].sum(axis=0)})


def eval_sums(params, model_state, frozen, batch, key):
    squares = jnp.square(_predict(params, frozen, batch["x"]) - batch["y"]).mean(axis=1)
    weights = batch["is_valid"].astype(jnp.float32)
    return {
        "loss": ((squares * weights).sum(), weights.sum()),
        "accuracy": (-(squares * weights).sum(), weights.sum()),
    }


def prepare(params, model_state, frozen, batch, key):
    return model_state | {"is_started": jnp.ones((), bool), "weak": jnp.ones(2)}


def update_state(model_state, stats, key):
    return model_state | {"seen": model_state["seen"] + stats["seen"]}


def row(index: int) -> dict[str, np.ndarray]:
    rng = np.random.Generator(np.random.Philox(key=index))
    x = rng.normal(size=D).astype(np.float32)
    return {"x": x, "y": np.tanh(np.roll(x, 1))}


def batch(step: int, size: int) -> dict[str, np.ndarray]:
    rows = [row(step * size + r) for r in range(size)]
    return {k: np.stack([r[k] for r in rows]) for k in rows[0]}


WHOLE = (0, 1)  # one process makes all rows


def shared(batch: dict[str, np.ndarray], share: tuple[int, int]):
    """The index-th of `count` equal shares of a batch's rows."""
    index, count = share
    size = len(batch["x"]) // count
    return {k: v[index * size : (index + 1) * size] for k, v in batch.items()}


def train_batches(size: int, share=WHOLE):
    return lambda start: (
        shared(batch(step, size), share) for step in itertools.count(start)
    )


def eval_batches(size: int, share=WHOLE):
    def make():
        one = batch(10_000, size)
        is_valid = np.arange(size) < size - 1  # the last row is padding
        one["x"][-1] = 1e3
        yield shared(one | {"is_valid": is_valid}, share)

    return make


TASK = Task(
    name="toy",
    init=init,
    loss=loss,
    eval_sums=eval_sums,
    dummy_batch=lambda size: batch(0, size),
    prepare=prepare,
    update_state=update_state,
)
FROZEN = {"gain": np.float32(1.5)}
RUN = CommonRun(
    steps=4,
    batch_size=8,
    ema_decay=0.9,
    optim=OptimConfig(peak_lr=0.05, warmup_steps=2, hold_steps=100),
    loop=LoopConfig(log_every=1, eval_every=2, checkpoint_every=2, checkpoint_keep=2),
)


def with_loop(run: CommonRun, **changes) -> CommonRun:
    return dataclasses.replace(run, loop=dataclasses.replace(run.loop, **changes))

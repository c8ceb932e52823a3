"""One optimiser step and one evaluation step, compiled and sharded.

A step closes over static values only (task, optimiser, settings); state, frozen weights
and batch are its arguments.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from stemjax.config.runs import CommonRun
from stemjax.io.errors import UserError
from stemjax.nn.axes import BATCH, RULES, check_divides, make_mesh
from stemjax.tasks.task import Sums, Task
from stemjax.train.optim import ema_rate, learning_rate, make_optimizer
from stemjax.train.state import TrainState, strongly_typed

BATCH_AXES = dict(RULES)[BATCH]  # mesh axes that split a batch


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Sharding of a batch: examples are split over the data axes, other axes are not."""
    return NamedSharding(mesh, PartitionSpec(BATCH_AXES))


def check_batch(run: CommonRun, mesh: Mesh | AbstractMesh) -> None:
    """Check that the batch divides over the devices.

    Raises:
      UserError: it does not; names sizes that do.
    """
    try:
        check_divides(run.batch_size, mesh, micro_batches=run.loop.accumulate)
    except ValueError as error:
        raise UserError(f"--batch-size: {error}") from None


def mesh_of(run: CommonRun, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Mesh of a run whose batch divides over it.

    Args:
      devices: of the mesh; None: those of all processes.

    Raises:
      UserError: sizes that do not fit the devices, or a batch that does not divide.
    """
    try:
        mesh = make_mesh(run.mesh, devices)
    except ValueError as error:
        raise UserError(f"--mesh: {error}") from None
    check_batch(run, mesh)
    return mesh


def make_train_step(
    task: Task, run: CommonRun, mesh: Mesh, shardings: TrainState
) -> Callable[[TrainState, Any, Any], tuple[TrainState, Sums, jax.Array]]:
    """Compiled step: (state, frozen, batch) -> (state, sums, is_finite).

    The old state is donated.  `sums` are the task's, with `loss` (the objective),
    `grad_norm` and `learning_rate`.  A step whose loss or gradient is not finite returns
    the old state with `is_finite` False, and so do all later steps.
    """
    tx = make_optimizer(run.optim, run.part_optims)
    rate = learning_rate(run.optim)

    def step(state: TrainState, frozen, batch):
        key = jax.random.fold_in(state.root_key, state.step)
        k_prepare, k_loss, k_update = jax.random.split(key, 3)
        model_state = task.prepare(
            state.params, state.model_state, frozen, batch, k_prepare
        )
        grads, loss, sums, stats = _gradients(
            task, run.loop.accumulate, state.params, model_state, frozen, batch, k_loss
        )
        norm = optax.tree.norm(grads)
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        ema = state.ema
        if ema is not None:
            keep = ema_rate(run.ema_decay, state.step)
            # in this form the average of constant parameters equals them exactly
            ema = jax.tree.map(lambda a, p: a + (1 - keep) * (p - a), ema, params)
        is_finite = state.is_finite & jnp.isfinite(loss) & jnp.isfinite(norm)
        new = TrainState(
            step=state.step + 1,
            params=params,
            model_state=strongly_typed(task.update_state(model_state, stats, k_update)),
            opt_state=opt_state,
            ema=ema,
            root_key=state.root_key,
            is_finite=is_finite,
        )
        kept = jax.tree.map(
            lambda a, b: jnp.where(is_finite, a, b),
            new._replace(root_key=None, is_finite=None),
            state._replace(root_key=None, is_finite=None),
        )
        one = jnp.ones((), jnp.float32)
        sums = dict(sums) | {
            "loss": (loss.astype(jnp.float32), one),
            "grad_norm": (norm, one),
            "learning_rate": (jnp.asarray(rate(state.step), jnp.float32), one),
        }
        kept = kept._replace(root_key=state.root_key, is_finite=is_finite)
        return kept, sums, is_finite

    replicated = NamedSharding(mesh, PartitionSpec())
    return jax.jit(
        step,
        in_shardings=(shardings, replicated, batch_sharding(mesh)),
        out_shardings=(shardings, replicated, replicated),
        donate_argnums=0,
    )


def _gradients(task, parts: int, params, model_state, frozen, batch, key):
    """Mean gradient and loss over micro-batches, and their added sums and stats."""
    grad_fn = jax.value_and_grad(task.loss, has_aux=True)
    if parts == 1:
        (loss, out), grads = grad_fn(params, model_state, frozen, batch, key)
        return grads, loss, out.sums, out.stats

    def split(x):
        # micro-batch i takes rows i::parts, so that no row moves to another device
        return x.reshape(x.shape[0] // parts, parts, *x.shape[1:]).swapaxes(0, 1)

    def add(carry, indexed):
        i, micro = indexed
        k = jax.random.fold_in(key, i)
        (loss, out), grads = grad_fn(params, model_state, frozen, micro, k)
        return jax.tree.map(jnp.add, carry, (grads, loss, out.sums, out.stats)), None

    micros = jax.tree.map(split, batch)
    shapes = jax.eval_shape(
        lambda m: grad_fn(params, model_state, frozen, m, key),
        jax.tree.map(lambda x: x[0], micros),
    )
    (loss, out), grads = shapes
    zero = jax.tree.map(
        lambda s: jnp.zeros(s.shape, s.dtype), (grads, loss, out.sums, out.stats)
    )
    (grads, loss, sums, stats), _ = jax.lax.scan(add, zero, (jnp.arange(parts), micros))
    grads = jax.tree.map(lambda g: g / parts, grads)
    return grads, loss / parts, sums, stats


def make_eval_step(
    task: Task, mesh: Mesh, shardings: TrainState
) -> Callable[[Any, Any, Any, Any, jax.Array], Sums]:
    """Compiled evaluation: (params, model_state, frozen, batch, key) -> sums."""
    replicated = NamedSharding(mesh, PartitionSpec())
    return jax.jit(
        task.eval_sums,
        in_shardings=(
            shardings.params,
            shardings.model_state,
            replicated,
            batch_sharding(mesh),
            replicated,
        ),
        out_shardings=replicated,
    )

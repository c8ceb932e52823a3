"""The state of a training run, born sharded (style: shapes first, then arrays)."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stemjax.config.runs import CommonRun
from stemjax.tasks.task import Task
from stemjax.train.optim import make_optimizer
from stemjax.train.sharding import param_shardings, unbox


class TrainState(NamedTuple):
    """Everything a step reads and writes.

    step: [] int32, optimiser steps done.  params: float32.  model_state: codebooks and
    the like.  opt_state: optax.  ema: averaged params, or None.  root_key: the run's
    key; step s draws from `fold_in(root_key, s)`.  is_finite: [] bool; once False, no
    later step changes the state.
    """

    step: jax.Array
    params: Any
    model_state: Any
    opt_state: Any
    ema: Any
    root_key: jax.Array
    is_finite: jax.Array

    @property
    def averaged(self) -> Any:
        """Parameters to evaluate and to release: the average where one is kept."""
        return self.params if self.ema is None else self.ema


def strongly_typed(tree: Any) -> Any:
    """The same arrays, none weakly typed: a step's output must be typed as its input,
    or the second step is compiled anew."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), tree)


def build_state(task: Task, run: CommonRun, seed: int) -> TrainState:
    """A new state, unboxed; to be traced (`eval_shape`, `jit`)."""
    k_init, k_steps = jax.random.split(jax.random.key(seed))
    params, model_state = strongly_typed(unbox(task.init(k_init)))
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        model_state=model_state,
        opt_state=make_optimizer(run.optim, run.part_optims).init(params),
        ema=jax.tree.map(jnp.copy, params) if run.ema_decay else None,
        root_key=k_steps,
        is_finite=jnp.ones((), bool),
    )


def unsaved(run: CommonRun, shardings: TrainState) -> dict[str, jax.Array]:
    """The fields of a state that no checkpoint holds, as in `build_state`."""

    def make(seed):
        _, k_steps = jax.random.split(jax.random.key(seed))
        return {"root_key": k_steps, "is_finite": jnp.ones((), bool)}

    places = {"root_key": shardings.root_key, "is_finite": shardings.is_finite}
    return jax.jit(make, static_argnums=0, out_shardings=places)(run.seed)


def state_shardings(task: Task, run: CommonRun, mesh: Mesh) -> TrainState:
    """A `TrainState` of shardings: parameters, moments and average by their axes."""
    boxed, _ = jax.eval_shape(task.init, jax.random.key(0))
    of_params = param_shardings(boxed, mesh)
    replicated = NamedSharding(mesh, PartitionSpec())
    shapes = abstract_state(task, run)
    of_opt = optax.tree.map_params(
        make_optimizer(run.optim, run.part_optims),
        lambda x, sharding: x if _is_absent(x) else sharding,
        shapes.opt_state,
        of_params,
        transform_non_params=lambda _: replicated,
        is_leaf=_is_absent,
    )
    return TrainState(
        step=replicated,
        params=of_params,
        model_state=jax.tree.map(lambda _: replicated, shapes.model_state),
        opt_state=of_opt,
        ema=of_params if run.ema_decay else None,
        root_key=replicated,
        is_finite=replicated,
    )


def _is_absent(x: Any) -> bool:
    """Whether it stands for a parameter of another part's optimiser."""
    return isinstance(x, optax.MaskedNode)


def abstract_state(task: Task, run: CommonRun) -> TrainState:
    """Shapes and types of the state, without making it."""
    return jax.eval_shape(functools.partial(build_state, task, run), run.seed)


def new_state(task: Task, run: CommonRun, shardings: TrainState) -> TrainState:
    """Step 0, every array created where it will live."""
    build = functools.partial(build_state, task, run)
    return jax.jit(build, static_argnums=0, out_shardings=shardings)(run.seed)

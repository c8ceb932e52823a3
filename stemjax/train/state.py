"""State of a training run: shapes and shardings first, then sharded arrays."""

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
    """Arrays that a step reads and writes."""

    step: jax.Array
    """Optimiser steps done, [] int32."""
    params: Any
    """Parameters, float32."""
    model_state: Any
    """State that gradients do not train, such as codebooks."""
    opt_state: Any
    """State of the optax optimiser."""
    ema: Any
    """Averaged parameters; None: no average is kept."""
    root_key: jax.Array
    """Key of the run; step s draws from `fold_in(root_key, s)`."""
    is_finite: jax.Array
    """[] bool; once False, no later step changes the state."""

    @property
    def averaged(self) -> Any:
        """Parameters to evaluate and release: the average, if one is kept."""
        return self.params if self.ema is None else self.ema


def strongly_typed(tree: Any) -> Any:
    """The same arrays, none weakly typed: if a step's output had other types than its
    input, the second step would be compiled again."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), tree)


def build_state(task: Task, run: CommonRun, seed: int) -> TrainState:
    """State of step 0, unboxed; for `eval_shape` and `jit`."""
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
    """Fields of the state that no checkpoint holds, equal to those of `build_state`."""

    def make(seed):
        _, k_steps = jax.random.split(jax.random.key(seed))
        return {"root_key": k_steps, "is_finite": jnp.ones((), bool)}

    places = {"root_key": shardings.root_key, "is_finite": shardings.is_finite}
    return jax.jit(make, static_argnums=0, out_shardings=places)(run.seed)


def state_shardings(task: Task, run: CommonRun, mesh: Mesh) -> TrainState:
    """Shardings of the state: parameters, moments and average by their logical axes."""
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
    """Whether a leaf stands for a parameter of another optimiser."""
    return isinstance(x, optax.MaskedNode)


def abstract_state(task: Task, run: CommonRun) -> TrainState:
    """Shapes and types of the state."""
    return jax.eval_shape(functools.partial(build_state, task, run), run.seed)


def new_state(task: Task, run: CommonRun, shardings: TrainState) -> TrainState:
    """State of step 0, each array created on its devices."""
    build = functools.partial(build_state, task, run)
    return jax.jit(build, static_argnums=0, out_shardings=shardings)(run.seed)

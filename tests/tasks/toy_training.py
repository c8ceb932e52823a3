"""Training of tiny models on relations of codes that are known."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from stemjax.config.codec import CodecConfig
from stemjax.config.model import StemGenConfig, StemGenObjective, TransformerConfig
from stemjax.config.presets import STEMGEN_TINY
from stemjax.models import stemgen
from stemjax.tasks import stemgen as tasks

Q, V, T = 2, 6, 12
CODEC = CodecConfig(num_codebooks=Q, codebook_size=V)
MODEL = StemGenConfig(
    num_codebooks=Q,
    codebook_size=V,
    transformer=TransformerConfig(
        width=32, layers=2, heads=2, mlp_hidden=64, rope_theta=10.0
    ),
)


def task_of(model: StemGenConfig, **objective: Any) -> Any:
    run = dataclasses.replace(
        STEMGEN_TINY, model=model, objective=StemGenObjective(**objective)
    )
    return tasks.make(run, CODEC, batches_are_tokens=True)


def trained(task: Any, model: StemGenConfig, batch_of: Callable, steps: int) -> Any:
    """Parameters after `steps` steps of Adam, each on a fresh batch_of(key)."""
    optimiser = optax.adam(optax.cosine_decay_schedule(3e-3, steps))

    def step(state, number):
        params, moments = state
        k_batch, k_mask = jax.random.split(
            jax.random.fold_in(jax.random.key(1), number)
        )

        def loss(params):
            return task.loss(params, {}, {}, batch_of(k_batch), k_mask)[0]

        updates, moments = optimiser.update(jax.grad(loss)(params), moments)
        return (optax.apply_updates(params, updates), moments), None

    @functools.partial(jax.jit, static_argnums=0)
    def run(count, params):
        start = (params, optimiser.init(params))
        return jax.lax.scan(step, start, jnp.arange(count))[0][0]

    return run(steps, stemgen.init(jax.random.key(0), model))

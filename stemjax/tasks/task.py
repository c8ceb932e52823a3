"""Task: the pure functions that make a model trainable (StemGen, sec. 3).

A new model needs a model file, a task file that returns a `Task`, and a preset;
`stemjax.train` uses nothing else of it.  Arrays that are not trained (the frozen codec)
are the argument `frozen`, never closed over: closed-over arrays become constants of the
compiled program.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

Sums = dict[str, tuple[jax.Array, jax.Array]]
"""Name of a metric -> (sum, count), both [] float32."""


class LossOut(NamedTuple):
    """Second result of a loss, beside its scalar."""

    sums: Sums
    """Metrics, added over micro-batches and divided once on the host."""
    stats: Any
    """Pytree for `update_state`, added over micro-batches."""


def keep_prepared(params, model_state, frozen, batch, key):
    """`Task.prepare` that returns the model state unchanged."""
    return model_state


def keep_state(model_state, stats, key):
    """`Task.update_state` that returns the model state unchanged."""
    return model_state


class Task(NamedTuple):
    """A model with its training, as pure functions that may be traced."""

    name: str
    """Kind of the release: "stemgen", "codec" or another."""
    init: Callable
    """key -> (params, model_state).  Parameters may be boxed in `nn.Partitioned` with
    logical axes; the trainer shards by them and unboxes."""
    loss: Callable
    """params, model_state, frozen, batch, key -> (loss [] float32, LossOut).  The loss
    is a mean over the counted elements of the batch; micro-batches weigh equally."""
    eval_sums: Callable
    """params, model_state, frozen, batch, key -> Sums.  The batch has `is_valid` [B]
    bool; rows that are False do not count."""
    dummy_batch: Callable
    """batch_size -> NumPy arrays with the shapes and types of a training batch."""
    prepare: Callable = keep_prepared
    """params, model_state, frozen, batch, key -> model_state; once per optimiser step,
    before the loss (k-means of codebooks)."""
    update_state: Callable = keep_state
    """model_state, stats, key -> model_state; once per optimiser step."""
    higher_is_better: tuple[str, bool] | None = ("accuracy", True)
    """Validation metric that decides the best step and the early stop, and whether it
    should rise.  None: no metric does; the newest step is used."""
    fresh_parts: tuple[str, ...] = ()
    """Top-level parameters that no release holds (a discriminator): `init` makes them
    even if the run starts from released weights."""

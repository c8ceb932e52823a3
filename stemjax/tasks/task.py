"""The record of pure functions that makes a model trainable (StemGen, sec. 3).

A new model is one model file, one task file that fills this record, and one preset;
`stemjax.train` knows nothing else of it.  Arrays that are trained with but not trained
(the frozen codec) are the argument `frozen`, never closed over: closed-over arrays
become constants of the compiled program.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

Sums = dict[str, tuple[jax.Array, jax.Array]]  # name -> (sum, count), both [] float32


class LossOut(NamedTuple):
    """What a loss reports beside its scalar."""

    sums: Sums  # metrics, added over micro-batches and divided once on the host
    stats: Any  # additive pytree for `update_state`, summed over micro-batches


def keep_prepared(params, model_state, frozen, batch, key):
    """`Task.prepare` of a task whose model state needs no preparation."""
    return model_state


def keep_state(model_state, stats, key):
    """`Task.update_state` of a task without running statistics."""
    return model_state


class Task(NamedTuple):
    """Pure functions; every one may be traced.

    init: key -> (params, model_state). Parameters may be boxed in `nn.Partitioned`
      with logical axes; the trainer shards by them and unboxes.
    loss: params, model_state, frozen, batch, key -> (loss [] float32, LossOut). The
      loss is the mean over the batch's own count; micro-batches weigh equally.
    eval_sums: params, model_state, frozen, batch, key -> Sums. The batch carries
      `is_valid` [B] bool; rows that are False count for nothing.
    dummy_batch: batch_size -> dict of NumPy arrays with the shapes and types of a
      training batch.
    prepare: params, model_state, frozen, batch, key -> model_state, once per optimiser
      step before the loss (k-means of codebooks).
    update_state: model_state, stats, key -> model_state, once per optimiser step.
    higher_is_better: the validation metric that decides best and early stop, and
      whether it should rise; None: no metric does, and the newest step is the one.
    fresh_parts: top-level parameters that no release holds (a discriminator); a run
      that starts from released weights has them from `init`.
    """

    name: str
    init: Callable
    loss: Callable
    eval_sums: Callable
    dummy_batch: Callable
    prepare: Callable = keep_prepared
    update_state: Callable = keep_state
    higher_is_better: tuple[str, bool] | None = ("accuracy", True)
    fresh_parts: tuple[str, ...] = ()

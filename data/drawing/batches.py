"""Batches of examples, made by NumPy threads or tf.data: the same arrays.

A `MakeExample` function makes example `index`; all randomness is inside it.  Row r of
global batch s is example s * B + r, and a process makes a contiguous range of rows of
every batch, so any number of hosts sees the same global batches.  The step alone
determines the position in the data.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from stemjax.config.runs import Loader
from stemjax.data.drawing.prefetch import AHEAD, in_threads

Batch = dict[str, np.ndarray]
MakeExample = Callable[[int], Batch]
"""Index -> arrays of one example, without the batch axis."""


def endless(
    make: MakeExample,
    *,
    batch_size: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    loader: Loader = Loader.NUMPY,
) -> Iterator[Batch]:
    """Batches of steps start_step, start_step + 1, ...: arrays [B / processes, ...].

    Args:
      batch_size: B, over all processes.

    Raises:
      ValueError: the batch does not divide over the processes.
    """
    rows = _local_rows(batch_size, process_index, process_count)
    if loader is Loader.TF:
        return _tf_batches(make, batch_size, start_step, rows)

    def batch(step: int) -> Batch:
        return _stack([make(step * batch_size + r) for r in rows])

    return in_threads(batch, itertools.count(start_step))


def finite(
    make: MakeExample,
    *,
    count: int,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """Batches of examples 0..count-1, the last one zero-padded.

    Adds `is_valid` [B] bool and `row` [B] int32, the example's index.  Every process
    gets the same number of batches.
    """
    rows = _local_rows(batch_size, process_index, process_count)

    def batch(first: int) -> Batch:
        indices = np.array([first + r for r in rows], np.int32)
        is_valid = indices < count
        valid = int(is_valid.sum())
        stacked = _stack([make(int(i)) for i in indices[is_valid]] or [make(0)])
        padded = {
            name: np.zeros((len(rows), *x.shape[1:]), x.dtype)
            for name, x in stacked.items()
        }
        for name, x in stacked.items():
            padded[name][:valid] = x[:valid]
        return padded | {"is_valid": is_valid, "row": indices}

    return in_threads(batch, range(0, count, batch_size))


def _local_rows(batch_size: int, process_index: int, process_count: int) -> range:
    """The rows of a global batch that a process makes."""
    if batch_size % process_count:
        raise ValueError(
            f"batch {batch_size} must divide over {process_count} processes"
        )
    size = batch_size // process_count
    return range(process_index * size, (process_index + 1) * size)


def _stack(examples: list[Batch]) -> Batch:
    """Examples to one batch."""
    return {name: np.stack([e[name] for e in examples]) for name in examples[0]}


def _tf_batches(
    make: MakeExample, batch_size: int, start_step: int, rows: range
) -> Iterator[Batch]:
    """The batches of `endless` from a tf.data pipeline."""
    tf = _tensorflow()
    like = make(0)  # names, static shapes and types of all examples
    names = list(like)
    types = [like[name].dtype for name in names]
    count = len(rows)

    def read(position):
        index = position // count * batch_size + rows.start + position % count
        values = tf.numpy_function(
            lambda i: [make(int(i))[name] for name in names], [index], types
        )
        for name, value in zip(names, values, strict=True):
            value.set_shape(like[name].shape)
        return dict(zip(names, values, strict=True))

    positions = tf.data.Dataset.range(start_step * count, tf.int64.max)
    examples = positions.map(read, num_parallel_calls=AHEAD, deterministic=True)
    batches = examples.batch(count, drop_remainder=True).prefetch(2)
    return batches.as_numpy_iterator()


_import_lock = threading.Lock()


def _tensorflow() -> Any:
    """The module tensorflow, without access to the accelerators, which JAX uses.

    Raises:
      ValueError: it is not installed.
    """
    with _import_lock:
        try:
            import tensorflow as tf
        except ImportError as error:
            raise ValueError(
                "the tf loader needs TensorFlow: pip install 'stemjax[train]', or use"
                " the numpy loader"
            ) from error
        for kind in ("GPU", "TPU"):
            tf.config.set_visible_devices([], kind)
        return tf

"""Examples by number into batches: NumPy threads or tf.data, the same arrays.

A `Row` makes example number `index`, a dict of arrays; all randomness is inside it.
Row r of global batch s is index s * B + r; a process makes its own, contiguous rows of
every batch, so any number of hosts sees the same global batches.  Nothing of the
position needs saving but the step.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from stemjax.config.runs import Loader
from stemjax.data.drawing.prefetch import AHEAD, in_threads

Batch = dict[str, np.ndarray]
Row = Callable[[int], Batch]  # index -> arrays without the batch axis


def endless(
    row: Row,
    *,
    batch_size: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    loader: Loader = Loader.NUMPY,
) -> Iterator[Batch]:
    """Batches of steps start_step, start_step + 1, ...: arrays [B / processes, ...].

    Raises:
      ValueError: the batch does not divide over the processes.
    """
    own = own_rows(batch_size, process_index, process_count)
    if loader is Loader.TF:
        dataset = index_dataset(batch_size, start_step, own)
        return read_dataset(dataset, row, len(own)).as_numpy_iterator()

    def batch(step: int) -> Batch:
        return stack([row(step * batch_size + r) for r in own])

    return in_threads(batch, itertools.count(start_step))


def finite(
    row: Row,
    *,
    count: int,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """Examples 0..count-1, the last batch zero-padded.

    Adds `is_valid` [B] bool and `row` [B] int32, the example's index.  Every process
    gets the same number of batches.
    """
    own = own_rows(batch_size, process_index, process_count)

    def batch(first: int) -> Batch:
        indices = np.array([first + r for r in own], np.int32)
        is_valid = indices < count
        rows = [row(int(i)) for i in indices[is_valid]] or [row(0)]
        batch = stack(rows)
        padded = {
            name: np.zeros((len(own), *x.shape[1:]), x.dtype)
            for name, x in batch.items()
        }
        valid = int(is_valid.sum())
        for name, x in batch.items():
            padded[name][:valid] = x[:valid]
        return padded | {"is_valid": is_valid, "row": indices}

    return in_threads(batch, range(0, count, batch_size))


def own_rows(batch_size: int, process_index: int, process_count: int) -> range:
    """The rows of a global batch that a process makes."""
    if batch_size % process_count:
        raise ValueError(
            f"batch {batch_size} must divide over {process_count} processes"
        )
    size = batch_size // process_count
    return range(process_index * size, (process_index + 1) * size)


def stack(rows: list[Batch]) -> Batch:
    """Rows to one batch."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def index_dataset(batch_size: int, start_step: int, own: range) -> Any:
    """tf.data set of the indices of this process's rows, in order, without end."""
    tf = tensorflow()
    positions = tf.data.Dataset.range(start_step * len(own), tf.int64.max)
    return positions.map(
        lambda n: n // len(own) * batch_size + own.start + n % len(own)
    )


def read_dataset(dataset: Any, row: Row, batch_size: int) -> Any:
    """Maps indices to examples, in order, and batches them."""
    tf = tensorflow()
    like = row(0)  # names, shapes and types, all of them static
    names = list(like)
    types = [like[name].dtype for name in names]

    def read(index):
        values = tf.numpy_function(
            lambda i: [row(int(i))[name] for name in names], [index], types
        )
        for name, value in zip(names, values, strict=True):
            value.set_shape(like[name].shape)
        return dict(zip(names, values, strict=True))

    dataset = dataset.map(read, num_parallel_calls=AHEAD, deterministic=True)
    return dataset.batch(batch_size, drop_remainder=True).prefetch(2)


_import_lock = threading.Lock()


def tensorflow() -> Any:
    """TensorFlow, kept off the accelerators, which are JAX's.

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

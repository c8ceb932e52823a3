"""Several processes as one run, joined through JAX before the first computation.

On a cluster that JAX knows (SLURM, Kubernetes, TPU pods, Open MPI) the processes find
each other; elsewhere the flags `--coordinator --num-processes --process-id` number them.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from stemjax.config.runs import Invocation
from stemjax.io.errors import UserError
from stemjax.nn.axes import check_divides
from stemjax.train.step import batch_sharding

HEARTBEAT_SECONDS = 20  # of silence, after which a process is dead and the others end
SHUTDOWN_SECONDS = 30
DIED = 1  # exit code of a process that failed or lost another process
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def join(invocation: Invocation) -> None:
    """Connect this process with the other processes of its run.

    Without flags JAX looks for a cluster; without a cluster the process is alone.  It
    also is with `--num-processes 1`, for one run of a sweep in each job of an array.

    Raises:
      UserError: flags that do not go together, or no answer from the coordinator.
    """
    coordinator, number = invocation.coordinator, invocation.process_id
    count = invocation.num_processes
    limits = {
        "heartbeat_timeout_seconds": HEARTBEAT_SECONDS,
        "shutdown_timeout_seconds": SHUTDOWN_SECONDS,
    }
    if coordinator is None:
        if count == 1 and not number:
            return
        if count is not None or number is not None:
            raise UserError("--num-processes and --process-id need --coordinator")
        with contextlib.suppress(ValueError):  # JAX finds no cluster
            jax.distributed.initialize(**limits)
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"--coordinator {coordinator}: give HOST:PORT of process 0")
    if count is None or number is None or not 0 <= number < count:
        raise UserError(
            f"--process-id {number} of --num-processes {count}: number the processes"
            " from 0 to their number less one"
        )
    if host in LOCAL_HOSTS:
        limits["coordinator_bind_address"] = coordinator
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            number,
            cluster_detection_method="deactivate",
            **limits,
        )
    except RuntimeError as error:
        raise UserError(
            f"--coordinator {coordinator}: process 0 does not answer"
            f" ({str(error).splitlines()[0]}); start process 0 there"
        ) from None


def is_writer() -> bool:
    """Whether this process writes the files of the run: logs, reports, DONE."""
    return jax.process_index() == 0


def wait_for_all(name: str) -> None:
    """Wait until every process has called this function with the same name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def is_true_everywhere(is_true: bool) -> bool:
    """Whether every process passes True; every process must call it."""
    if jax.process_count() == 1:
        return is_true
    return bool(np.all(multihost_utils.process_allgather(np.array(is_true))))


def gathered(tree: Any) -> Any:
    """Arrays of the mesh as NumPy arrays in every process; every process must call it."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def share_of_batch(mesh: Mesh, batch_size: int) -> tuple[int, int]:
    """(index, count): this process makes share `index` of `count` equal shares of the
    rows of every batch.

    Processes that hold the same rows (tensor parallelism over hosts) have one index.

    Raises:
      ValueError: the batch does not divide, or a process's rows are not contiguous.
    """
    check_divides(batch_size, mesh)
    places = batch_sharding(mesh).addressable_devices_indices_map((batch_size,))
    rows = {row for (part,) in places.values() for row in range(batch_size)[part]}
    first, size = min(rows), len(rows)
    if max(rows) - first + 1 != size or batch_size % size or first % size:
        raise ValueError(
            f"mesh {dict(mesh.shape)}: the devices of a process hold rows that are not"
            " contiguous; let --mesh.data or --mesh.fsdp span the processes"
        )
    return first // size, batch_size // size


@contextlib.contextmanager
def ending_together(*reported: type[Exception]) -> Iterator[None]:
    """End this process at once on an error; the others notice and end too.

    `sys.exit` would wait at JAX's shutdown barrier for processes that have ended.

    Args:
      reported: types of errors that are raised to the caller, who prints them.
    """
    try:
        yield
    except reported:
        raise
    except Exception:
        if jax.process_count() == 1:
            raise
        traceback.print_exc()
        print(
            f"process {jax.process_index()} ends; start all processes again",
            file=sys.stderr,
            flush=True,
        )
        os._exit(DIED)

"""Many processes as one run: JAX's own runtime, joined before the first computation.

A cluster that JAX knows (SLURM, Kubernetes, TPU pods, Open MPI) says by itself who is
who; elsewhere the flags `--coordinator --num-processes --process-id` do.
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

from stemjax.config.runs import CommonRun
from stemjax.io.errors import UserError
from stemjax.nn.axes import check_divides
from stemjax.train.step import batch_sharding

HEARTBEAT_SECONDS = 20  # a process silent for as long is dead, and the others end
SHUTDOWN_SECONDS = 30
DIED = 1  # exit code of a process whose run broke, or whose peer was lost
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def join(run: CommonRun) -> None:
    """Make this process one of the run's, if it has several.

    Without flags the cluster is asked; where there is none, the process is alone, as it
    is with `--num-processes 1`: one run of a sweep among the jobs of an array.

    Raises:
      UserError: flags that do not go together, or no answer from the coordinator.
    """
    limits = {
        "heartbeat_timeout_seconds": HEARTBEAT_SECONDS,
        "shutdown_timeout_seconds": SHUTDOWN_SECONDS,
    }
    if not run.coordinator:
        if run.num_processes == 1 and run.process_id <= 0:
            return
        if run.num_processes or run.process_id >= 0:
            raise UserError("--num-processes and --process-id need --coordinator")
        try:
            jax.distributed.initialize(**limits)
        except ValueError:  # what JAX raises where it finds no cluster
            return
        return
    host, _, port = run.coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"--coordinator {run.coordinator}: give HOST:PORT of process 0")
    if not 0 <= run.process_id < run.num_processes:
        raise UserError(
            f"--process-id {run.process_id} of --num-processes {run.num_processes}:"
            " give 0 to one less than their number, each once"
        )
    if host in LOCAL_HOSTS:
        limits["coordinator_bind_address"] = run.coordinator
    try:
        jax.distributed.initialize(
            run.coordinator,
            run.num_processes,
            run.process_id,
            cluster_detection_method="deactivate",
            **limits,
        )
    except RuntimeError as error:
        raise UserError(
            f"--coordinator {run.coordinator}: process 0 does not answer there"
            f" ({str(error).splitlines()[0]})"
        ) from None


def is_writer() -> bool:
    """Whether this process writes what all would write alike: logs, reports, DONE."""
    return jax.process_index() == 0


def wait_for_all(name: str) -> None:
    """Return when every process has come to the place called `name`."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def all_say(is_true: bool) -> bool:
    """Whether every process says True; all must ask."""
    if jax.process_count() == 1:
        return is_true
    return bool(np.all(multihost_utils.process_allgather(np.array(is_true))))


def whole(tree: Any) -> Any:
    """Arrays of the mesh as NumPy arrays in every process; all must ask."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def share_of_batch(mesh: Mesh, batch_size: int) -> tuple[int, int]:
    """(index, count): this process makes the index-th of `count` equal, contiguous
    shares of every batch's rows.

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
            f"mesh {dict(mesh.shape)}: a process's devices hold rows that do not follow"
            " each other; give the data axis the processes"
        )
    return first // size, batch_size // size


@contextlib.contextmanager
def ending_together(*said: type[Exception]) -> Iterator[None]:
    """An error in one process ends it at once, and so, in time, all of them.

    Leaving by `sys.exit` would wait at JAX's shutdown barrier for processes that are
    gone.  Errors of the types in `said` are the caller's to tell the user.
    """
    try:
        yield
    except said:
        raise
    except Exception:
        if jax.process_count() == 1:
            raise
        traceback.print_exc()
        print(
            f"process {jax.process_index()}: ends; start all of them again",
            file=sys.stderr,
            flush=True,
        )
        os._exit(DIED)

"""Metrics as (sum, count) pairs, divided once; metrics.jsonl and TensorBoard."""

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping

from stemjax.io.lines import append_line, drop_after, read_lines
from stemjax.io.remote import as_path, is_remote, publish
from stemjax.train.layout import TENSORBOARD

__all__ = [
    "EVALUATION",
    "METRICS",
    "HostSums",
    "TensorBoard",
    "add",
    "append_line",
    "divide",
    "drop_after",
    "read_lines",
]

METRICS = "metrics.jsonl"
EVALUATION = "eval.jsonl"
UPLOAD_SECONDS = 60.0  # between copies of a growing event file to a bucket
HostSums = dict[str, tuple[float, float]]


def add(total: HostSums, sums: Mapping) -> HostSums:
    """`total` with one more set of sums (device arrays or numbers), in float64."""
    import jax
    import numpy as np

    out = dict(total)
    for name, (value, count) in jax.device_get(dict(sums)).items():
        a, b = out.get(name, (0.0, 0.0))
        out[name] = (a + float(np.sum(value)), b + float(np.sum(count)))
    return out


def divide(sums: HostSums) -> dict[str, float]:
    """Means; a metric that nothing counted towards is left out."""
    return {k: total / count for k, (total, count) in sums.items() if count}


class TensorBoard:
    """Event files in `workdir/tensorboard`; silent where tensorboardX is absent.

    For a workdir in a bucket they grow in a temporary folder and are copied there every
    `UPLOAD_SECONDS` and at the end; a killed run loses the last of them, and no line of
    metrics.jsonl.
    """

    def __init__(self, workdir: str | os.PathLike, start_step: int):
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            print("tensorboardX is not installed: no TensorBoard events are written")
            self._writer = None
            return
        folder = as_path(workdir) / TENSORBOARD
        self._cleanup = contextlib.ExitStack()
        self._local, self._remote = folder, None
        if is_remote(folder):
            make = tempfile.TemporaryDirectory(prefix="stemjax-")
            self._local = self._cleanup.enter_context(make)
            self._remote = folder
        self._uploaded = time.monotonic()
        # steps past the restored one were logged by a start that was cut off
        self._writer = SummaryWriter(str(self._local), purge_step=start_step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars of one step."""
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        if self._remote and time.monotonic() - self._uploaded >= UPLOAD_SECONDS:
            self._writer.flush()
            publish(self._local, self._remote)
            self._uploaded = time.monotonic()

    def close(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        if self._remote:
            publish(self._local, self._remote)
        self._cleanup.close()

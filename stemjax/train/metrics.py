"""Metrics of training: sums and counts, metrics.jsonl and TensorBoard events."""

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping

from stemjax.io.lines import append_line, drop_after, read_lines
from stemjax.io.remote import as_path, is_remote, make_folder, publish
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
"""Name -> (sum, count)."""


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
    """Means of the metrics with a count above 0."""
    return {k: total / count for k, (total, count) in sums.items() if count}


class TensorBoard:
    """Writer of event files in `workdir/tensorboard`; without tensorboardX it writes none.

    For a workdir in a bucket the files grow in a temporary folder and are copied every
    `UPLOAD_SECONDS` and at the end.  A killed run loses the newest events, and no line
    of metrics.jsonl.
    """

    def __init__(self, workdir: str | os.PathLike, start_step: int):
        try:
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event, SessionLog
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
        # Written here, not by the thread of a SummaryWriter: where that meets a full
        # disk, it dies, and whoever waits for it waits forever.
        make_folder(self._local)
        self._writer = EventsWriter(os.path.join(self._local, "events"))
        # drop the events that an interrupted start wrote past the restored step
        session = SessionLog(status=SessionLog.START)
        self._writer.write_event(Event(step=start_step + 1, session_log=session))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write the scalars of one step."""
        if self._writer is None:
            return
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        for name, value in values.items():
            summary = scalar(name, value)
            self._writer.write_event(
                Event(step=step, wall_time=time.time(), summary=summary)
            )
        self._writer.flush()
        if self._remote and time.monotonic() - self._uploaded >= UPLOAD_SECONDS:
            publish(self._local, self._remote)
            self._uploaded = time.monotonic()

    def close(self) -> None:
        """Write the last events."""
        if self._writer is None:
            return
        self._writer.close()
        if self._remote:
            publish(self._local, self._remote)
        self._cleanup.close()

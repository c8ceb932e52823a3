"""Metrics as (sum, count) pairs, divided once; metrics.jsonl and TensorBoard."""

import json
import os
import pathlib
from collections.abc import Mapping

import jax
import numpy as np

from stemjax.io.atomic import write_text

METRICS = "metrics.jsonl"
EVALUATION = "eval.jsonl"
HostSums = dict[str, tuple[float, float]]


def add(total: HostSums, sums: Mapping) -> HostSums:
    """`total` with one more set of sums (device arrays or numbers), in float64."""
    out = dict(total)
    for name, (value, count) in jax.device_get(dict(sums)).items():
        a, b = out.get(name, (0.0, 0.0))
        out[name] = (a + float(np.sum(value)), b + float(np.sum(count)))
    return out


def divide(sums: HostSums) -> dict[str, float]:
    """Means; a metric that nothing counted towards is left out."""
    return {k: total / count for k, (total, count) in sums.items() if count}


def append_line(path: str | os.PathLike, record: Mapping) -> None:
    """Add one JSON object as a line; floats keep full precision."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(dict(record), allow_nan=False) + "\n")


def read_lines(path: str | os.PathLike) -> list[dict]:
    """Objects of a .jsonl file; a cut-off last line is left out."""
    path = pathlib.Path(path)
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def drop_after(path: str | os.PathLike, step: int) -> None:
    """Forget lines past `step` (they will be written again), by rewrite and rename."""
    if pathlib.Path(path).is_file():
        kept = [r for r in read_lines(path) if r["step"] <= step]
        write_text(path, "".join(json.dumps(r) + "\n" for r in kept))


class TensorBoard:
    """Event files in `workdir/tensorboard`; silent where tensorboardX is absent."""

    def __init__(self, workdir: pathlib.Path, start_step: int):
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            print("tensorboardX is not installed: no TensorBoard events are written")
            self._writer = None
            return
        # steps past the restored one were logged by a start that was cut off
        self._writer = SummaryWriter(
            str(workdir / "tensorboard"), purge_step=start_step + 1
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars of one step."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

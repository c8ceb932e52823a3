"""Records of the runs below a folder, read from their workdirs: progress, best, status.

Imports no jax: the runs may be those of another machine.
"""

import concurrent.futures
import dataclasses
import enum
import os
from collections.abc import Iterator, Mapping
from typing import Any

from stemjax.config.runs import resolved
from stemjax.config.validation import BEST_METRIC
from stemjax.io.errors import UserError
from stemjax.io.remote import Path, as_path, is_remote
from stemjax.train import heartbeat, layout, resume
from stemjax.train.heartbeat import Heartbeat
from stemjax.train.metrics import EVALUATION, METRICS, read_lines
from stemjax.train.resume import RunEnd

SKEW_SECONDS = 60.0  # between the clocks of a run's host and of its storage
COMMITTED = "commit_success.txt"
INSIDE = layout.FOLDERS | {"metrics", "eval"}  # the last two: logs in a bucket
"""Folders of a workdir that hold no runs."""
READERS = 16  # threads: single files in a bucket are slow to read


class RunStatus(enum.Enum):
    """Status of a run."""

    DONE_STEPS = "done (steps)"
    DONE_EARLY = "done (early stop)"
    RUNNING = "running"
    WAITING = "waiting (saved on SIGTERM)"
    DIED = "died"
    NONFINITE = "non-finite"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run."""

    path: str
    """Path of the workdir below the folder that was searched."""
    kind: str
    """Name of the task."""
    settings: Mapping[str, Any]
    """Dotted field of the resolved run, or `identity.NAME` -> value."""
    step: int
    """Optimiser steps that are known to be done."""
    steps: int
    """Optimiser steps after which the run is finished."""
    loss: float | None
    """Loss in the last line of the log."""
    metric: str
    """Validation metric that decides the best step."""
    best: float | None
    """Best value of the metric."""
    best_step: int | None
    """Step of the best value."""
    checkpoint: int | None
    """Step of the newest checkpoint."""
    seen: float
    """Unix time of the last heartbeat, in seconds."""
    state: RunStatus
    """Status."""


def gather(
    folder: str | os.PathLike, *, now: float, stale: float
) -> tuple[list[RunRecord], list[str]]:
    """The runs at and below a folder, in the order of their paths.

    Args:
      now: Unix time in seconds.
      stale: seconds without a heartbeat after which a run has died.

    Returns:
      Records, and a message for each workdir with a file that cannot be read.
    """
    root = as_path(folder)
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        results = list(
            pool.map(
                lambda workdir: _record_or_fault(root, workdir, now, stale),
                workdirs(root),
            )
        )
    records = [r for r in results if isinstance(r, RunRecord)]
    return records, [r for r in results if isinstance(r, str)]


def workdirs(folder: Path) -> Iterator[Path]:
    """Folders with a run.json, at any depth; does not follow links."""
    if not folder.is_dir():
        return
    is_workdir = (folder / resume.RUN).is_file()
    if is_workdir:
        yield folder
    for inner in sorted(folder.iterdir()):
        if is_workdir and inner.name in INSIDE:
            continue
        if inner.is_dir() and not os.path.islink(inner):
            yield from workdirs(inner)


def _record_or_fault(
    root: Path, workdir: Path, now: float, stale: float
) -> RunRecord | str:
    try:
        return read_record(root, workdir, now=now, stale=stale)
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{workdir}: {error.strerror or error}"


def read_record(root: Path, workdir: Path, *, now: float, stale: float) -> RunRecord:
    """One run, from the files of its workdir.

    Raises:
      UserError: a file that cannot be read; names it and its field.
    """
    saved = resume.read_run(workdir)
    logged = read_lines(workdir / METRICS)
    last = logged[-1] if logged else {"step": 0}
    beat = heartbeat.read(workdir)
    steps = saved.run.steps
    end = resume.read_end(workdir)
    step = max(last["step"], beat.step if beat else 0, end.step if end else 0)
    metric, should_rise = BEST_METRIC.get(saved.kind, ("loss", False))
    best, best_step = _best(read_lines(workdir / EVALUATION), metric, should_rise)
    seen = beat.time if beat else _last_change(workdir)
    return RunRecord(
        path=workdir.relative_to(root).as_posix(),
        kind=saved.kind,
        settings=_dotted(resolved(saved.run)) | _dotted(saved.identity, "identity."),
        step=step,
        steps=steps,
        loss=last.get("loss"),
        metric=metric,
        best=best,
        best_step=best_step,
        checkpoint=_newest(workdir / layout.SERIES),
        seen=seen,
        state=_state(workdir, end, steps, beat, is_alive=now - seen <= stale),
    )


def _state(
    workdir: Path,
    end: RunEnd | None,
    steps: int,
    beat: Heartbeat | None,
    *,
    is_alive: bool,
) -> RunStatus:
    if end and end.reason != "steps":
        return RunStatus.DONE_EARLY
    if end and end.step >= steps:  # else --steps has been raised
        return RunStatus.DONE_STEPS
    failed = _modified(workdir / layout.NONFINITE / layout.REPORT)
    if failed is not None and (beat is None or beat.time <= failed + SKEW_SECONDS):
        return RunStatus.NONFINITE
    if beat and beat.state is heartbeat.RunPhase.SAVED:
        return RunStatus.WAITING
    return RunStatus.RUNNING if is_alive else RunStatus.DIED


def _last_change(workdir: Path) -> float:
    """Last change of run.json or metrics.jsonl, for a run without a heartbeat."""
    times = [_modified(workdir / name) for name in (resume.RUN, METRICS)]
    return max(time for time in times if time is not None)


def _best(
    evaluated: list[dict], metric: str, should_rise: bool
) -> tuple[float | None, int | None]:
    """The best value and the first step that has it."""
    sign = 1.0 if should_rise else -1.0
    best = None
    for line in evaluated:
        value = line.get(metric)
        if value is not None and (best is None or sign * value > sign * best[0]):
            best = value, line["step"]
    return best or (None, None)


def _newest(series: Path) -> int | None:
    """Step of the newest complete checkpoint."""
    if not series.is_dir():
        return None
    steps = [path for path in series.iterdir() if path.name.isdecimal()]
    if is_remote(series):  # in a bucket, orbax marks complete checkpoints with a file
        steps = [path for path in steps if (path / COMMITTED).is_file()]
    return max((int(path.name) for path in steps), default=None)


def _dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in sorted(table.items()):
        if isinstance(value, dict):
            fields |= _dotted(value, f"{prefix}{name}.")
        else:
            fields[prefix + name] = value
    return fields


def _modified(path: Path) -> float | None:
    """Unix time of the last change of a file; None: no such file."""
    if not path.is_file():
        return None
    return float(path.stat().mtime)

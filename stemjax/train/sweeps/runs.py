"""The runs below a folder, read from their workdirs: how far, how good, which died.

Imports no jax: it also looks at runs of another machine, on one that has none.
"""

import concurrent.futures
import dataclasses
import enum
import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from stemjax.config.validation import BEST_METRIC
from stemjax.io.errors import UserError
from stemjax.io.remote import Path, as_path, is_remote
from stemjax.train import heartbeat, layout, resume
from stemjax.train.heartbeat import Heartbeat
from stemjax.train.metrics import EVALUATION, METRICS, read_lines

SKEW_SECONDS = 60.0  # between the clocks of a run's host and of its storage
COMMITTED = "commit_success.txt"
INSIDE = layout.FOLDERS | {"metrics", "eval"}  # the latter, parts of logs in a bucket
"""Folders of a workdir that hold no runs."""
READERS = 16  # threads: files in a bucket are slow to come, one by one


class State(enum.Enum):
    """What has become of a run."""

    DONE_STEPS = "done (steps)"
    DONE_EARLY = "done (early stop)"
    RUNNING = "running"
    WAITING = "waiting (saved on SIGTERM)"
    DIED = "died"
    NONFINITE = "non-finite"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One run."""

    path: str
    """Of its workdir, from the folder that was searched."""
    kind: str
    """The task's name."""
    settings: Mapping[str, Any]
    """Dotted field of the resolved config, or `identity.NAME` -> value."""
    step: int
    """Optimiser steps that are known to be done."""
    steps: int
    loss: float | None
    """The last one logged."""
    metric: str
    """The validation metric that decides the best step."""
    best: float | None
    best_step: int | None
    checkpoint: int | None
    """Step of the newest checkpoint."""
    seen: float
    """Unix time of the last sign of life."""
    state: State


def gather(
    folder: str | os.PathLike, *, now: float, stale: float
) -> tuple[list[Record], list[str]]:
    """The runs at and below a folder, in the order of their paths.

    Args:
      now: Unix time.
      stale: seconds without a sign of life after which a run has died.

    Returns:
      records, and a sentence for each workdir whose run.json cannot be read.
    """
    root = as_path(folder)
    found = list(workdirs(root))
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        read = list(pool.map(lambda w: _record_or_fault(root, w, now, stale), found))
    records = [r for r in read if isinstance(r, Record)]
    return records, [r for r in read if isinstance(r, str)]


def workdirs(folder: Path) -> Iterator[Path]:
    """Folders with a run.json, at any depth; links are not followed."""
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


def _record_or_fault(root: Path, workdir: Path, now: float, stale: float):
    try:
        return read_record(root, workdir, now=now, stale=stale)
    except UserError as error:
        return str(error)


def read_record(root: Path, workdir: Path, *, now: float, stale: float) -> Record:
    """One run, from the files of its workdir.

    Raises:
      UserError: a run.json that cannot be read.
    """
    saved = resume.read_run(workdir)
    logged = read_lines(workdir / METRICS)
    last = logged[-1] if logged else {"step": 0}
    beat = heartbeat.read(workdir)
    steps = saved["run"]["steps"]
    done = _read_json(workdir / resume.DONE)
    step = max(last["step"], beat.step if beat else 0, (done or {"step": 0})["step"])
    metric, should_rise = BEST_METRIC.get(saved["kind"], ("loss", False))
    best, best_step = _best(read_lines(workdir / EVALUATION), metric, should_rise)
    seen = beat.time if beat else _last_change(workdir)
    return Record(
        path=workdir.relative_to(root).as_posix(),
        kind=saved["kind"],
        settings=_dotted(saved["run"]) | _dotted(saved["identity"], "identity."),
        step=step,
        steps=steps,
        loss=last.get("loss"),
        metric=metric,
        best=best,
        best_step=best_step,
        checkpoint=_newest(workdir / layout.SERIES),
        seen=seen,
        state=_state(workdir, done, steps, beat, is_alive=now - seen <= stale),
    )


def _state(
    workdir: Path,
    done: Mapping[str, Any] | None,
    steps: int,
    beat: Heartbeat | None,
    *,
    is_alive: bool,
) -> State:
    if done and done["reason"] != "steps":
        return State.DONE_EARLY
    if done and done["step"] >= steps:  # else more steps were asked for since
        return State.DONE_STEPS
    failed = _modified(workdir / layout.NONFINITE / layout.REPORT)
    if failed is not None and (beat is None or beat.time <= failed + SKEW_SECONDS):
        return State.NONFINITE
    if beat and beat.state is heartbeat.State.SAVED:
        return State.WAITING
    return State.RUNNING if is_alive else State.DIED


def _last_change(workdir: Path) -> float:
    """Of a run that has not said that it is alive: it starts, or it is an old one."""
    times = [_modified(workdir / name) for name in (resume.RUN, METRICS)]
    return max(time for time in times if time is not None)


def _best(
    evaluated: list[dict], metric: str, should_rise: bool
) -> tuple[float | None, int | None]:
    """The best value and the first step that has it, as training keeps them."""
    sign = 1.0 if should_rise else -1.0
    best = None
    for line in evaluated:
        value = line.get(metric, math.nan)
        if math.isfinite(value) and (best is None or sign * value > sign * best[0]):
            best = value, line["step"]
    return best or (None, None)


def _newest(series: Path) -> int | None:
    """Step of the newest checkpoint that is whole."""
    if not series.is_dir():
        return None
    steps = [path for path in series.iterdir() if path.name.isdecimal()]
    if is_remote(series):  # nothing is renamed there: orbax marks what is whole
        steps = [path for path in steps if (path / COMMITTED).is_file()]
    return max((int(path.name) for path in steps), default=None)


def _dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= _dotted(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _modified(path: Path) -> float | None:
    """Unix time of the last change; None where there is no such file."""
    if not path.is_file():
        return None
    return float(path.stat().mtime)

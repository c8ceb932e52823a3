"""Table of runs: the settings they share, the settings that differ, the best run first."""

import math
import os
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stemjax.config.validation import BEST_METRIC
from stemjax.io.columns import columns
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text
from stemjax.train.resume import RUN
from stemjax.train.sweeps.runs import RunRecord, RunStatus, gather

BEST = "best"
COLUMNS = ("path", "kind", "step", "steps", "loss", "best_step", "checkpoint", "seen")
WIDTH = 88  # characters in a line above the table
DIGEST = 12  # characters of a digest in a cell
NOTHING = "-"  # cell without a value


def report(
    folder: str | os.PathLike,
    *,
    stale: float,
    sort: str = BEST,
    is_json: bool = False,
    now: float | None = None,
) -> str:
    """The runs at and below a folder, as a table or as JSON.

    Args:
      stale: seconds without a heartbeat after which a run has died.
      sort: "best" (the best first), "state", another column, or a dotted field.
      now: Unix time in seconds; None: the clock.

    Raises:
      UserError: no run, or an unknown column.
    """
    now = time.time() if now is None else now
    records, faults = gather(folder, now=now, stale=stale)
    if not records and not faults:
        raise UserError(f"{folder}: no run below it; a workdir has a {RUN}")
    records = ordered(records, sort)
    if is_json:
        return as_json(records, faults)
    return "\n".join([table(records, now=now), *(f"not read: {f}" for f in faults)])


def shared_and_differing(
    records: Sequence[RunRecord],
) -> tuple[dict[str, Any], list[str]]:
    """({field: value} of the settings that all runs share, fields that differ).

    `steps` is in neither: it has a column of its own.
    """
    fields = dict.fromkeys(f for record in records for f in record.settings)
    fields.pop("steps", None)
    shared, differing = {}, []
    for field in fields:
        values = [r.settings.get(field, _Missing) for r in records]
        if all(v == values[0] for v in values):
            shared[field] = values[0]
        else:
            differing.append(field)
    return shared, differing


def ordered(records: Sequence[RunRecord], sort: str) -> list[RunRecord]:
    """The runs sorted by a column or field within each kind; runs without a value last.

    Raises:
      UserError: an unknown column or field.
    """
    fields = list(dict.fromkeys(f for r in records for f in r.settings))
    if sort not in (BEST, "state", *COLUMNS, *fields):
        raise UserError(
            f"--sort {sort}: one of {', '.join((BEST, 'state', *COLUMNS))}, or a field of"
            " the run, such as optim.peak_lr"
        )

    def place(record: RunRecord) -> tuple:
        if sort == BEST:
            _, should_rise = BEST_METRIC.get(record.kind, ("", False))
            value = record.best
            value = -value if value is not None and should_rise else value
        elif sort == "state":
            value = list(RunStatus).index(record.state)
        else:
            value = (
                getattr(record, sort) if sort in COLUMNS else record.settings.get(sort)
            )
        is_number = isinstance(value, (int, float))
        number = value if is_number else math.inf
        return (
            value is None,
            number,
            "" if is_number else json_text(value),
            record.path,
        )

    return sorted(records, key=lambda r: (r.kind, place(r)))


def table(records: Sequence[RunRecord], *, now: float) -> str:
    """Shared settings and a line per run, for each kind; then the number in each status."""
    parts = []
    for kind in dict.fromkeys(r.kind for r in records):
        alike = [r for r in records if r.kind == kind]
        shared, differing = shared_and_differing(alike)
        parts.append(_shared_lines(kind, shared))
        parts.append(_lines(alike, differing, now))
    return "\n\n".join([*parts, _states(records)])


def _lines(records: Sequence[RunRecord], differing: Sequence[str], now: float) -> str:
    best = f"best {records[0].metric}"
    header = ["run", *differing, "step", "loss", best, "at", "saved", "seen", "state"]
    rows = [
        [
            record.path,
            *(_cell(record.settings.get(field)) for field in differing),
            f"{record.step}/{record.steps}",
            _number(record.loss),
            _number(record.best),
            _cell(record.best_step),
            _cell(record.checkpoint),
            _ago(now - record.seen),
            record.state.value,
        ]
        for record in records
    ]
    return columns(header, rows)


def as_json(records: Sequence[RunRecord], faults: Sequence[str]) -> str:
    """JSON with `shared`, `differing`, `runs` (with their settings) and `not_read`."""
    shared, differing = shared_and_differing(records)
    runs = [
        {name: getattr(r, name) for name in COLUMNS}
        | {"metric": r.metric, "best": r.best, "state": r.state.value}
        | {"settings": {f: r.settings[f] for f in differing if f in r.settings}}
        for r in records
    ]
    report = {"shared": shared, "differing": differing, "runs": runs}
    return json_text(report | {"not_read": list(faults)}, indent=2)


def _shared_lines(kind: str, shared: Mapping[str, Any]) -> str:
    """The shared settings, a paragraph for each part of the run."""
    groups: dict[str, list[str]] = {}
    for field, value in shared.items():
        head, _, name = field.rpartition(".")
        groups.setdefault(head or "run", []).append(f"{name}={_cell(value)}")
    lines = [
        textwrap.fill(
            f"{head}: {', '.join(parts)}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
        for head, parts in groups.items()
    ]
    return "\n".join([f"the same in all {kind} runs:", *lines])


def _states(records: Sequence[RunRecord]) -> str:
    """Number of runs in each status, and the paths of runs that need attention."""
    counts = Counter(record.state for record in records)
    text = ", ".join(f"{counts[s]} {s.value}" for s in RunStatus if counts[s])
    lines = [f"{len(records)} run{'s' * (len(records) != 1)}: {text}"]
    for status in (RunStatus.WAITING, RunStatus.DIED, RunStatus.NONFINITE):
        paths = sorted(r.path for r in records if r.state is status)
        if paths:
            lines.append(f"{status.value}: {' '.join(paths)}")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, str):
        is_digest = len(value) == 64 and not set(value) - set("0123456789abcdef")
        return value[:DIGEST] if is_digest else value or '""'
    return json_text(value)


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"


def _ago(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


class _Missing:
    """Stands for the value of a setting that a run does not have."""

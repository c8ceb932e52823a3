"""Runs side by side: what they share, what differs, the best first."""

import json
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
from stemjax.train.resume import RUN
from stemjax.train.sweeps.runs import Record, State, gather

BEST = "best"
PLAIN = ("path", "kind", "step", "steps", "loss", "best_step", "checkpoint", "seen")
WIDTH = 88  # of the lines above the table
DIGEST = 12  # letters shown of a digest
NOTHING = "-"


def report(
    folder: str | os.PathLike,
    *,
    stale: float,
    sort: str = BEST,
    is_json: bool = False,
    now: float | None = None,
) -> str:
    """`train.py runs`: the runs at and below a folder, as a table or as JSON.

    Args:
      stale: seconds without a sign of life after which a run has died.
      sort: "best" (the best first), "state", another column, or a dotted field.
      now: Unix time, by default the clock's.

    Raises:
      UserError: no run there, or nothing to sort by.
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
    records: Sequence[Record],
) -> tuple[dict[str, Any], list[str]]:
    """({field: value} of what all runs have alike, fields that differ).

    `steps` is in neither: each run says its own.
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


def ordered(records: Sequence[Record], sort: str) -> list[Record]:
    """The runs by one of their values, those without it last; kinds stay together.

    Raises:
      UserError: no run has such a value.
    """
    fields = list(dict.fromkeys(f for r in records for f in r.settings))
    if sort not in (BEST, "state", *PLAIN, *fields):
        raise UserError(
            f"--sort {sort}: one of {', '.join((BEST, 'state', *PLAIN))}, or a field of"
            " the config, such as optim.peak_lr"
        )

    def place(record: Record) -> tuple:
        if sort == BEST:
            _, should_rise = BEST_METRIC.get(record.kind, ("", False))
            value = record.best
            value = -value if value is not None and should_rise else value
        elif sort == "state":
            value = list(State).index(record.state)
        else:
            value = (
                getattr(record, sort) if sort in PLAIN else record.settings.get(sort)
            )
        is_number = isinstance(value, (int, float))
        number = value if is_number else math.inf
        return (
            value is None,
            number,
            "" if is_number else json.dumps(value),
            record.path,
        )

    return sorted(records, key=lambda r: (r.kind, place(r)))


def table(records: Sequence[Record], *, now: float) -> str:
    """For each kind what all share and a line per run; then how many are in which state."""
    parts = []
    for kind in dict.fromkeys(r.kind for r in records):
        alike = [r for r in records if r.kind == kind]
        shared, differing = shared_and_differing(alike)
        parts.append(_shared_lines(kind, shared))
        parts.append(_lines(alike, differing, now))
    return "\n\n".join([*parts, _states(records)])


def _lines(records: Sequence[Record], differing: Sequence[str], now: float) -> str:
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


def as_json(records: Sequence[Record], faults: Sequence[str]) -> str:
    """The same as one JSON object: `shared`, `runs` (with what differs), `not_read`."""
    shared, differing = shared_and_differing(records)
    runs = [
        {name: getattr(r, name) for name in PLAIN}
        | {"metric": r.metric, "best": r.best, "state": r.state.value}
        | {"settings": {f: r.settings[f] for f in differing if f in r.settings}}
        for r in records
    ]
    whole = {"shared": shared, "differing": differing, "runs": runs}
    return json.dumps(whole | {"not_read": list(faults)}, indent=2)


def _shared_lines(kind: str, shared: Mapping[str, Any]) -> str:
    """The shared fields, a paragraph for each part of the config."""
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


def _states(records: Sequence[Record]) -> str:
    """Counts of the states in order, and the names of the runs to look after."""
    counts = Counter(record.state for record in records)
    said = ", ".join(f"{counts[s]} {s.value}" for s in State if counts[s])
    lines = [f"{len(records)} run{'s' * (len(records) != 1)}: {said}"]
    for state in (State.WAITING, State.DIED, State.NONFINITE):
        paths = sorted(r.path for r in records if r.state is state)
        if paths:
            lines.append(f"{state.value}: {' '.join(paths)}")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, str):
        is_digest = len(value) == 64 and not set(value) - set("0123456789abcdef")
        return value[:DIGEST] if is_digest else value or '""'
    return json.dumps(value)


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"


def _ago(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


class _Missing:
    """In place of a value that a run does not have, to compare by."""

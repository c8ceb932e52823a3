"""Scores of a grid of decoding settings on one set of examples."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stemjax.config.metrics import Metric
from stemjax.config.sweeps import TableRow
from stemjax.eval.metrics.compare import CLEAR, compare
from stemjax.eval.populations.decoding_run import DecodingRun
from stemjax.eval.populations.generate import Job
from stemjax.eval.studies.rows import ScoreReport, row_jobs
from stemjax.io.errors import UserError


def sweep_jobs(
    rows: Sequence[TableRow], run: DecodingRun, n: int, *, seeds: int, seed: int
) -> list[Job]:
    """Decoding jobs of all rows.

    Raises:
      UserError: a row whose number of guidance scales is not the model's number of
        guidance sources.
    """
    sources = run.system.config.num_sources
    for row in rows:
        for point in row.points:
            if len(point.scales) != sources:
                raise UserError(
                    f"row {row.name!r}: scales {point.scales}; {run.system.name} has"
                    f" {sources} guidance sources"
                )
    return [
        job
        for row in rows
        for job in row_jobs(row, run, n, seeds=seeds, deal_seed=seed)
    ]


class LowestRow(NamedTuple):
    """The row with the lowest value of a metric."""

    name: str
    """Name of the row."""
    ties: list[str]
    """Rows whose paired difference from it is within noise."""


def lowest_row(reports: Mapping[str, ScoreReport], metric: Metric) -> LowestRow | None:
    """The row with the lowest value; None if fewer than two rows have a value."""
    values = {
        name: entry["value"]
        for name, report in reports.items()
        if (entry := report["metrics"].get(metric.value, {})).get("value") is not None
    }
    if len(values) < 2:
        return None
    best = min(values, key=values.__getitem__)
    ties = []
    for name in values:
        if name != best:
            entry = compare(reports[name], reports[best])[metric.value]
            if entry["difference"] <= CLEAR * entry["se"]:
                ties.append(name)
    return LowestRow(best, ties)


def file_name(row_name: str) -> str:
    """Name of a row as a file name without a suffix."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", row_name).strip("_")


def check_file_names(rows: Sequence[TableRow], grid: str) -> None:
    """Check that each row's score gets a file of its own.

    Raises:
      UserError: two rows with the same file name, or a row whose file name is empty.
    """
    names: dict[str, str] = {}
    for row in rows:
        name = file_name(row.name)
        other = names.setdefault(name, row.name)
        if other != row.name or not name:
            raise UserError(
                f"{grid}: rows {other!r} and {row.name!r} have the same file name; use"
                " other letters or digits"
            )

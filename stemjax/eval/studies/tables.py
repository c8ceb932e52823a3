"""The paper's Tables 1 to 3 measured on a model (StemGen, sec. 3.2)."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemjax.config.metrics import Metric
from stemjax.config.sweeps import TABLES, Claim, PaperTable, TableRow, with_steps
from stemjax.eval.populations.decoding_run import DecodingRun
from stemjax.eval.populations.generate import Job
from stemjax.eval.studies import ordering
from stemjax.eval.studies.rows import (
    Scorer,
    ScoreReport,
    cell_mean,
    row_jobs,
    score_row,
)
from stemjax.io.errors import UserError

SHOWN = (Metric.FAD, Metric.FD_LOGMEL, Metric.MIRDD)
"""Metrics that tables and sweeps show."""
NUM_SOURCES = 2
"""Guidance sources of the paper's tables: context audio and instrument."""

RunPair = tuple[DecodingRun, DecodingRun | None]
"""The first model's run and the second's, indexed by `TableRow.is_second`."""


def select_tables(
    numbers: Iterable[int], n: int | None, steps: tuple[int, ...]
) -> dict[int, PaperTable]:
    """The chosen tables, limited to `n` examples, by number.

    Args:
      n: most examples of a table; None keeps the paper's numbers.
      steps: decoding steps per level, coarse first; () keeps the paper's.
    """
    tables = {}
    for number in sorted(set(numbers)):
        table = TABLES[number]
        sizes = tuple(dict.fromkeys(min(size, n or size) for size in table.sizes))
        rows = with_steps(table.rows, steps) if steps else table.rows
        tables[number] = dataclasses.replace(table, rows=rows, sizes=sizes)
    return tables


def check_sources(run: DecodingRun) -> None:
    """Check that a model takes the tables' two guidance scales.

    Raises:
      UserError: a model with another number of guidance sources.
    """
    count = run.system.config.num_sources
    if count != NUM_SOURCES:
        raise UserError(
            f"{run.system.name}: the model has {count} guidance sources; the paper's"
            f" tables need {NUM_SOURCES}"
        )


def table_jobs(
    tables: Iterable[PaperTable],
    run: DecodingRun,
    *,
    is_second: bool,
    seeds: int,
    seed: int,
) -> list[Job]:
    """Decoding jobs of all rows of one of the two models, at every size."""
    return [
        job
        for table in tables
        for row in table.rows
        if row.is_second == is_second
        for n in table.sizes
        for job in row_jobs(row, run, n, seeds=seeds, deal_seed=seed)
    ]


def measure_table(
    table: PaperTable,
    n: int,
    runs: RunPair,
    scorer: Scorer,
    *,
    seeds: int,
    seed: int,
) -> dict[str, Any]:
    """One table with `n` examples, see `summarise`; rows without a model are empty."""
    reports = {
        row.name: score_row(row, run, n, scorer, seeds=seeds, deal_seed=seed)
        for row in table.rows
        if (run := runs[row.is_second]) is not None
    }
    return {"n": n} | summarise(table, reports)


def summarise(table: PaperTable, reports: Mapping[str, ScoreReport]) -> dict[str, Any]:
    """Rows, checked claims and rank agreement of a table; see `as_json`.

    Args:
      reports: row name -> report; rows without a report count as not measured.

    Raises:
      UserError: rows of a claim that were scored on different examples.
    """
    scored = [row for row in table.rows if row.name in reports]
    agreement = {
        metric.value: ordering.rank_agreement(
            [reports[row.name] for row in scored],
            [row.paper.get(_paper_metric(metric)) for row in scored],
            metric,
        )
        for metric in SHOWN
    }
    return {
        "title": table.title,
        "rows": [row_json(row, reports.get(row.name)) for row in table.rows],
        "checks": ordering.check_all(reports, claims_of(table)),
        "kendall_tau": agreement,
    }


def claims_of(table: PaperTable) -> Mapping[Metric, Sequence[Claim]]:
    """Claims of a table by metric; those of FAD are tested by FD-logmel too."""
    return {**table.claims, Metric.FD_LOGMEL: table.claims[Metric.FAD]}


def _paper_metric(metric: Metric) -> Metric:
    """Metric of the paper whose values are compared with ours."""
    return Metric.MIRDD if metric is Metric.MIRDD else Metric.FAD


def row_json(row: TableRow, report: ScoreReport | None) -> dict[str, Any]:
    """A row with its report, the paper's values and the means of its cells."""
    return {
        "name": row.name,
        "paper": {metric.value: value for metric, value in row.paper.items()},
        "report": report,
        "cell_mean": {metric.value: cell_mean(report, metric) for metric in SHOWN}
        if report
        else None,
    }


def as_json(result: Mapping[str, Any]) -> dict[str, Any]:
    """Result of `summarise` as JSON values."""
    return {**result, "checks": [check_json(check) for check in result["checks"]]}


def check_json(check: ordering.CheckedClaim) -> dict[str, Any]:
    """A checked claim as JSON values; difference and error are None if MISSING."""
    claim, test = check.claim, check.test
    is_tested = test.answer is not ordering.Ordering.MISSING
    return {
        "lower": claim.lower,
        "higher": claim.higher,
        "strict": claim.strict,
        "metric": check.metric.value,
        "answer": test.answer.value,
        "difference": test.difference if is_tested else None,
        "se": test.se if is_tested else None,
        "holds": test.holds,
    }

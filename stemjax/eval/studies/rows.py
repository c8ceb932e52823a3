"""Scores of rows of decoding settings: means over seeds, cells (StemGen, sec. 3.2)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stemjax.config.metrics import Metric
from stemjax.config.runs import to_json
from stemjax.config.sweeps import TableRow
from stemjax.eval.metrics.jackknife import from_leave_outs
from stemjax.eval.metrics.score import MIN_EXAMPLES
from stemjax.eval.populations.clips import Triple
from stemjax.eval.populations.decoding_run import DecodingRun, deal, jobs_of, triples_of
from stemjax.eval.populations.generate import Job

ScoreReport = dict[str, Any]
"""Report of `stemjax.eval.metrics.score.score`, JSON values."""
Scorer = Callable[[Sequence[Triple]], ScoreReport]
"""Computes the score of triples of files."""


def row_jobs(
    row: TableRow, run: DecodingRun, count: int, *, seeds: int, deal_seed: int
) -> list[Job]:
    """Decoding jobs of a row's first `count` examples, all examples seed by seed."""
    return [
        job
        for variation in range(seeds)
        for job in jobs_of(row, run, count, variation, deal_seed)
    ]


def score_row(
    row: TableRow,
    run: DecodingRun,
    count: int,
    scorer: Scorer,
    *,
    seeds: int,
    deal_seed: int,
) -> ScoreReport:
    """Score of a row's first `count` examples, a mean over decoding seeds.

    All points of a row form one population: this is how the paper's averages over
    scales are read (Assumption A26).  `cells` in the report holds the score of each
    point alone.
    """
    by_seed = [
        triples_of(jobs_of(row, run, count, v, deal_seed), run.folder)
        for v in range(seeds)
    ]
    report = mean_report([scorer(triples) for triples in by_seed])
    if len(row.points) > 1:
        dealt = deal(count, len(row.points), deal_seed)
        report["cells"] = _cells(row, dealt, by_seed, scorer)
    return report


def _cells(
    row: TableRow,
    dealt: np.ndarray,
    by_seed: Sequence[Sequence[Triple]],
    scorer: Scorer,
) -> list[dict[str, Any]]:
    """Score of each point alone; it has fewer examples, hence more bias, than the row."""
    cells = []
    for p, config in enumerate(row.points):
        examples = np.flatnonzero(dealt == p)
        cell: dict[str, Any] = {"decode": to_json(config), "n": len(examples)}
        if len(examples) >= MIN_EXAMPLES:
            report = mean_report(
                [scorer([triples[k] for k in examples]) for triples in by_seed]
            )
            cell["metrics"] = {
                name: {"value": entry["value"], "se": entry.get("se")}
                for name, entry in report["metrics"].items()
            }
        cells.append(cell)
    return cells


def mean_report(reports: Sequence[ScoreReport]) -> ScoreReport:
    """One report with the means of the reports of several decoding seeds.

    The jackknife is that of the mean: it leaves an example out under every seed.
    """
    first = reports[0]
    if len(reports) == 1:
        return dict(first)
    metrics = {
        name: _mean_entry([report["metrics"][name] for report in reports])
        for name in first["metrics"]
    }
    silent = {
        field: float(np.mean([report["silent"][field] for report in reports]))
        for field in first["silent"]
    }
    rest = {name: value for name, value in first.items() if name != "related"}
    if "related" in first:
        rest["related_by_seed"] = [report["related"] for report in reports]
    contents = [report["contents"] for report in reports]
    return rest | {"metrics": metrics, "silent": silent, "contents": contents}


def _mean_entry(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = entries[0]
    if first.get("value") is None:
        return dict(first)
    values = [entry["value"] for entry in entries]
    groups = np.mean([entry["groups"] for entry in entries], axis=0)
    estimate = from_leave_outs(float(np.mean(values)), groups, first["sizes"])
    entry = {
        "id": first["id"],
        "status": "ok",
        "value": estimate.value,
        "se": estimate.se,
        "corrected": estimate.corrected,
        "groups": [float(g) for g in groups],
        "sizes": list(first["sizes"]),
        "by_seed": values,
    }
    if "null" in first:  # depends on the number of pairs, hardly on the seed
        entry["null"] = first["null"]
    return entry


def cell_mean(report: ScoreReport, metric: Metric) -> float | None:
    """Mean of a row's cells, the other reading of "averaged" in Table 1 (A26).

    Returns:
      None if a cell has no value, or the row has no cells.
    """
    cells = report.get("cells", ())
    values = [
        cell["metrics"][metric.value]["value"]
        for cell in cells
        if metric.value in cell.get("metrics", {})
    ]
    if not values or len(values) < len(cells) or None in values:
        return None
    return float(np.mean(values))

"""Rows of settings as scores: over several seeds, and cell by cell (StemGen, sec. 3.2)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stemjax.config.metrics import Metric
from stemjax.config.runs import to_json
from stemjax.config.sweeps import Row
from stemjax.eval.metrics.jackknife import from_leave_outs
from stemjax.eval.metrics.score import MIN_EXAMPLES
from stemjax.eval.populations.clips import Triple
from stemjax.eval.populations.decoding_run import DecodingRun, deal, jobs_of, triples_of
from stemjax.eval.populations.generate import Job

Report = dict[str, Any]
Scorer = Callable[[Sequence[Triple]], Report]


def row_jobs(
    row: Row, bench: DecodingRun, count: int, *, seeds: int, deal_seed: int
) -> list[Job]:
    """The stems of a row, for as many variations of each as there are seeds."""
    return [
        job
        for variation in range(seeds)
        for job in jobs_of(row, bench, count, variation, deal_seed)
    ]


def score_row(
    row: Row,
    bench: DecodingRun,
    count: int,
    scorer: Scorer,
    *,
    seeds: int,
    deal_seed: int,
) -> Report:
    """The score of a row's first `count` examples, a mean over seeds of decoding.

    All points of a row are one population: that is what the paper's averages over
    scales are taken to be (A26).  `cells` has the score of each point by itself.
    """
    by_seed = [
        triples_of(jobs_of(row, bench, count, v, deal_seed), bench.folder)
        for v in range(seeds)
    ]
    report = mean_report([scorer(triples) for triples in by_seed])
    if len(row.points) > 1:
        dealt = deal(count, len(row.points), deal_seed)
        report["cells"] = _cells(row, dealt, by_seed, scorer)
    return report


def _cells(
    row: Row,
    dealt: np.ndarray,
    by_seed: Sequence[Sequence[Triple]],
    scorer: Scorer,
) -> list[dict[str, Any]]:
    """Each point's own score: few examples, so its bias is its own, not the row's."""
    cells = []
    for p, config in enumerate(row.points):
        own = np.flatnonzero(dealt == p)
        cell: dict[str, Any] = {"decode": to_json(config), "n": len(own)}
        if len(own) >= MIN_EXAMPLES:
            found = mean_report([scorer([of[k] for k in own]) for of in by_seed])
            cell["metrics"] = {
                name: {"value": entry["value"], "se": entry.get("se")}
                for name, entry in found["metrics"].items()
            }
        cells.append(cell)
    return cells


def mean_report(reports: Sequence[Report]) -> Report:
    """One report whose values are means over those of several seeds of decoding.

    The jackknife is that of the mean: an example is left out under every seed.
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
    if entries[0].get("value") is None:
        return dict(entries[0])
    values = [entry["value"] for entry in entries]
    groups = np.mean([entry["groups"] for entry in entries], axis=0)
    estimate = from_leave_outs(float(np.mean(values)), groups, entries[0]["sizes"])
    entry = {
        "id": entries[0]["id"],
        "status": "ok",
        "value": estimate.value,
        "se": estimate.se,
        "corrected": estimate.corrected,
        "groups": [float(g) for g in groups],
        "sizes": list(entries[0]["sizes"]),
        "by_seed": values,
    }
    if "null" in entries[0]:  # swaps of as many pairs: that of one seed is that of any
        entry["null"] = entries[0]["null"]
    return entry


def cell_mean(report: Report, metric: Metric) -> float | None:
    """Mean of a row's cells, the other reading of "averaged" in Table 1 (A26)."""
    cells = report.get("cells", ())
    values = [
        cell["metrics"][metric.value]["value"]
        for cell in cells
        if metric.value in cell.get("metrics", {})
    ]
    if not values or len(values) < len(cells) or None in values:
        return None
    return float(np.mean(values))

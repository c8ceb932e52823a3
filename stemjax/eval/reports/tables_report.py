"""The paper's tables as a page of markdown, and as rows for CSV and LaTeX."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemjax.config.metrics import TITLES, Metric
from stemjax.eval.metrics.compare import CLEAR
from stemjax.eval.metrics.score import HEADLINE
from stemjax.eval.reports.report import as_markdown, notes, number
from stemjax.eval.studies.ordering import CheckedClaim, Ordering
from stemjax.eval.studies.rows import ScoreReport
from stemjax.eval.studies.tables import SHOWN

NOT_MEASURED = "not measured"
HEADER = (
    "row",
    "n",
    *(TITLES[metric] for metric in SHOWN),
    "MIRDD null median",
    "silent %",
    "paper FAD",
    "paper MIRDD",
)
CLAIM_HEADER = ("claim", "metric", "difference +- SE", "verdict")
CLAIM_NOTE = (
    f"Yes and no: the paired difference exceeds {CLEAR:g} standard errors"
    " (delete-a-group jackknife over the shared examples). A smaller difference is"
    ' within noise: then a claim of "<=" holds and one of "<" does not. Claims are'
    " tested one by one, without correction: of twenty true ties about one appears"
    " clear."
)


def page(
    results: Mapping[int, Sequence[Mapping[str, Any]]],
    anchors: Mapping[int, Mapping[str, ScoreReport]],
    about: Sequence[str],
) -> str:
    """All tables as one page of markdown.

    Args:
      results: number of a table -> the table at each of its sizes, of
        `studies.tables.summarise` with `n`.
      anchors: number of examples -> reports of the anchors by name.
      about: lines on the model, the data and the settings.
    """
    lines = ["# The paper's tables", "", *(f"- {line}" for line in about)]
    for table, sizes in results.items():
        for result in sizes:
            n = result["n"]
            lines += [
                "",
                f"## Table {table}: {result['title']}, {n} examples",
                "",
                as_markdown(HEADER, table_rows(result, anchors.get(n, {}))),
                *cell_mean_lines(result),
                _agreement_line(result["kendall_tau"]),
                "",
                claims_markdown(result["checks"]),
            ]
            if n < HEADLINE:
                lines += [f"**Few examples ({n}): no headline number.**"]
    if anchors:
        lines += ["", "## Anchors", ""]
        lines += [
            f"- {name}: {report['description']}"
            for name, report in next(iter(anchors.values())).items()
        ]
    reports = [
        row["report"]
        for sizes in results.values()
        for result in sizes
        for row in result["rows"]
        if row["report"]
    ]
    return "\n".join([*lines, "", *notes(reports), ""])


def table_rows(
    result: Mapping[str, Any], anchors: Mapping[str, ScoreReport]
) -> list[list[str]]:
    """Cells of `HEADER` for the rows of a table, then for the anchors."""
    rows = [row_cells(row) for row in result["rows"]]
    return rows + [
        row_cells({"name": f"anchor: {name}", "report": report})
        for name, report in anchors.items()
    ]


def row_cells(row: Mapping[str, Any]) -> list[str]:
    """Cells of `HEADER` for a row of `studies.tables.row_json`, or for an anchor."""
    report, paper = row["report"], row.get("paper", {})
    paper_cells = [
        f"{paper[metric.value]:.2f}" if metric.value in paper else ""
        for metric in (Metric.FAD, Metric.MIRDD)
    ]
    if report is None:
        return [row["name"], "", *[NOT_MEASURED] * len(SHOWN), "", "", *paper_cells]
    metrics = report["metrics"]
    null = metrics[Metric.MIRDD.value].get("null")
    return [
        row["name"],
        str(report["n"]),
        *(number(metrics[metric.value]) for metric in SHOWN),
        f"{null['median']:.4g}" if null else "",
        silent_percent(report),
        *paper_cells,
    ]


def silent_percent(report: ScoreReport) -> str:
    """Percentage of silent generated stems."""
    return f"{100 * report['silent']['generated'] / report['n']:.1f}"


def metric_ids_line(reports: Iterable[ScoreReport]) -> str:
    """Full names of the measured metrics, with presets, weights and transcribers."""
    entries = [entry for r in reports for entry in r["metrics"].values()]
    names = dict.fromkeys(e["id"] for e in entries if e.get("value") is not None)
    return f"measured: {', '.join(names)}"


def cell_mean_lines(result: Mapping[str, Any]) -> list[str]:
    """Lines with the means of the cells' scores, the other reading of "averaged" (A26)."""
    lines = []
    for row in result["rows"]:
        means = {k: v for k, v in (row["cell_mean"] or {}).items() if v is not None}
        if means:
            values = ", ".join(f"{TITLES[Metric(k)]} {v:.4g}" for k, v in means.items())
            cells = row["report"]["cells"]
            lines.append(
                f"Mean of the {len(cells)} cells of {row['name']}: {values}"
                f" ({min(c['n'] for c in cells)} or more examples in each; not comparable"
                " with the rows)."
            )
    return [*lines, ""] if lines else []


def _agreement_line(kendall_tau: Mapping[str, float | None]) -> str:
    values = ", ".join(
        f"{TITLES[Metric(name)]} " + ("n/a" if tau is None else f"{tau:.2f}")
        for name, tau in kendall_tau.items()
    )
    return f"Agreement with the paper's order of the rows, Kendall's tau-b: {values}."


def claims_markdown(checks: Sequence[CheckedClaim]) -> str:
    """Checked claims as a table, the number that hold, and how to read them."""
    results = [c.test.holds for c in checks if c.test.holds is not None]
    count = f"{sum(results)} of {len(results)} tested claims hold."
    table = as_markdown(CLAIM_HEADER, [claim_cells(c) for c in checks])
    return f"{table}\n{count} {CLAIM_NOTE}\n"


def claim_cells(check: CheckedClaim) -> list[str]:
    """Cells of `CLAIM_HEADER` for one checked claim."""
    claim, test = check.claim, check.test
    sign = "<" if claim.strict else "<="
    is_tested = test.answer is not Ordering.MISSING
    return [
        f"{claim.lower} {sign} {claim.higher}",
        TITLES[check.metric],
        f"{test.difference:+.4g} +- {test.se:.2g}" if is_tested else "",
        test.answer.value,
    ]

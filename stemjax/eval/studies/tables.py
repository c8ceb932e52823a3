"""The paper's tables on one model: scores, anchors, orders (StemGen, sec. 3.2)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemjax.config.claims import Claim
from stemjax.config.metrics import TITLES, Metric
from stemjax.config.sweeps import Row, Table
from stemjax.eval.metrics.score import HEADLINE
from stemjax.eval.reports.report import as_markdown, notes, number
from stemjax.eval.studies import ordering
from stemjax.eval.studies.rows import Report, cell_mean

SHOWN = (Metric.FAD, Metric.FD_LOGMEL, Metric.MIRDD)
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


def claims_of(table: Table) -> Mapping[Metric, Sequence[Claim]]:
    """What the paper says of a table; its orders of FAD are asked of FD-logmel too."""
    return {**table.claims, Metric.FD_LOGMEL: table.claims[Metric.FAD]}


def measured(table: Table, reports: Mapping[str, Report]) -> dict[str, Any]:
    """One table at one size: JSON values but for `checks`, see `as_json`.

    reports: row name -> report; rows that are not there were not measured.

    Raises:
      UserError: rows of other examples than those they are set against.
    """
    checks = ordering.check_all(reports, claims_of(table))
    there = [row for row in table.rows if row.name in reports]
    agreement = {
        metric.value: ordering.rank_agreement(
            [reports[row.name] for row in there],
            [row.paper.get(_paper_metric(metric)) for row in there],
            metric,
        )
        for metric in SHOWN
    }
    return {
        "title": table.title,
        "rows": [row_json(row, reports.get(row.name)) for row in table.rows],
        "checks": checks,
        "kendall_tau": agreement,
    }


def _paper_metric(metric: Metric) -> Metric:
    """Whose figures in the paper a metric of ours is set beside."""
    return Metric.MIRDD if metric is Metric.MIRDD else Metric.FAD


def row_json(row: Row, report: Report | None) -> dict[str, Any]:
    """A row with all that was measured of it."""
    return {
        "name": row.name,
        "paper": {metric.value: value for metric, value in row.paper.items()},
        "report": report,
        "cell_mean": {metric.value: cell_mean(report, metric) for metric in SHOWN}
        if report
        else None,
    }


def as_json(result: Mapping[str, Any]) -> dict[str, Any]:
    """A table of `measured` as JSON values."""
    return {**result, "checks": [check_json(check) for check in result["checks"]]}


def check_json(check: ordering.Check) -> dict[str, Any]:
    """A judged claim; without a difference where it could not be judged."""
    verdict = check.verdict
    is_there = verdict.answer is not ordering.Answer.MISSING
    return {
        "lower": check.claim.lower,
        "higher": check.claim.higher,
        "strict": check.claim.strict,
        "metric": check.metric.value,
        "answer": verdict.answer.value,
        "difference": verdict.difference if is_there else None,
        "se": verdict.se if is_there else None,
        "holds": verdict.holds,
    }


def cells_of(row: Mapping[str, Any]) -> list[str]:
    """The cells of `HEADER` for a row of `measured`, or for an anchor."""
    report, paper = row["report"], row.get("paper", {})
    from_paper = [
        f"{paper[metric.value]:.2f}" if metric.value in paper else ""
        for metric in (Metric.FAD, Metric.MIRDD)
    ]
    if report is None:
        return [row["name"], "", *[NOT_MEASURED] * len(SHOWN), "", "", *from_paper]
    metrics = report["metrics"]
    null = metrics[Metric.MIRDD.value].get("null")
    return [
        row["name"],
        str(report["n"]),
        *(number(metrics[metric.value]) for metric in SHOWN),
        f"{null['median']:.4g}" if null else "",
        f"{100 * report['silent']['generated'] / report['n']:.1f}",
        *from_paper,
    ]


def measured_by(reports: Iterable[Report]) -> str:
    """The full names of what was measured: presets, weights, transcribers."""
    entries = [entry for r in reports for entry in r["metrics"].values()]
    names = dict.fromkeys(e["id"] for e in entries if e.get("value") is not None)
    return f"measured: {', '.join(names)}"


def table_rows(result: Mapping[str, Any], anchors: Mapping[str, Report]) -> list[list]:
    """The strings of one table: its rows, then the anchors."""
    rows = [cells_of(row) for row in result["rows"]]
    return rows + [
        cells_of({"name": f"anchor: {name}", "report": report})
        for name, report in anchors.items()
    ]


def page(
    results: Mapping[int, Sequence[Mapping[str, Any]]],
    anchors: Mapping[int, Mapping[str, Report]],
    about: Sequence[str],
) -> str:
    """All tables as one page of markdown.

    results: number of a table -> the table at each of its sizes.  anchors: number of
    examples -> the anchors' scores.  about: lines on what was measured.
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
                *means_of_cells(result),
                "Order of the rows against the paper's, Kendall's tau-b: "
                + ", ".join(
                    f"{TITLES[Metric(name)]} "
                    + ("n/a" if tau is None else f"{tau:.2f}")
                    for name, tau in result["kendall_tau"].items()
                )
                + ".",
                "",
                ordering.markdown(result["checks"]),
            ]
            if n < HEADLINE:
                lines += [f"**Few examples ({n}): no headline number.**"]
    if anchors:
        says = next(iter(anchors.values()))
        lines += ["", "## Anchors", ""]
        lines += [f"- {name}: {report['says']}" for name, report in says.items()]
    reports = [
        row["report"]
        for sizes in results.values()
        for result in sizes
        for row in result["rows"]
        if row["report"]
    ]
    return "\n".join([*lines, "", *notes(reports), ""])


def means_of_cells(result: Mapping[str, Any]) -> list[str]:
    """The other reading of "averaged": the mean of each scale's own score."""
    lines = []
    for row in result["rows"]:
        means = {k: v for k, v in (row["cell_mean"] or {}).items() if v is not None}
        if means:
            shown = ", ".join(f"{TITLES[Metric(k)]} {v:.4g}" for k, v in means.items())
            cells = row["report"]["cells"]
            lines.append(
                f"Mean of the {len(cells)} cells of {row['name']}: {shown}"
                f" ({min(c['n'] for c in cells)} examples and more in each: not"
                " comparable with the rows)."
            )
    return [*lines, ""] if lines else []

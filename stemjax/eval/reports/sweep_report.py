"""A sweep of decoding settings as a page of markdown."""

from collections.abc import Mapping, Sequence

from stemjax.config.metrics import TITLES, Metric
from stemjax.eval.reports.report import as_markdown, notes, number
from stemjax.eval.reports.tables_report import metric_ids_line, silent_percent
from stemjax.eval.studies.rows import ScoreReport
from stemjax.eval.studies.sweep import lowest_row
from stemjax.eval.studies.tables import SHOWN

HEADER = ("row", "n", *(TITLES[metric] for metric in SHOWN), "silent %")


def page(
    reports: Mapping[str, ScoreReport],
    anchors: Mapping[str, ScoreReport],
    title: str,
    about: Sequence[str],
) -> str:
    """The sweep as markdown: a table, the lowest rows, how to read it.

    Args:
      reports: row name -> report.
      anchors: anchor name -> report.
      about: lines on the model and the data.
    """
    lines = [f"# {title}", ""]
    lines += [f"- {line}" for line in (*about, metric_ids_line(reports.values()))]
    lines += ["", as_markdown(HEADER, table_rows(reports, anchors))]
    lines += [f"- {line}" for metric in SHOWN if (line := lowest_line(reports, metric))]
    return "\n".join([*lines, *notes(reports.values()), ""])


def table_rows(
    reports: Mapping[str, ScoreReport], anchors: Mapping[str, ScoreReport]
) -> list[list[str]]:
    """Cells of `HEADER` for the rows, then for the anchors."""
    named = reports | {f"anchor: {name}": anchor for name, anchor in anchors.items()}
    return [
        [
            name,
            str(report["n"]),
            *(number(report["metrics"][metric.value]) for metric in SHOWN),
            silent_percent(report),
        ]
        for name, report in named.items()
    ]


def lowest_line(reports: Mapping[str, ScoreReport], metric: Metric) -> str | None:
    """The row with the lowest value and its ties in words; None as `lowest_row`."""
    lowest = lowest_row(reports, metric)
    if lowest is None:
        return None
    ties = ", ".join(lowest.ties) or "none"
    return f"Lowest {TITLES[metric]}: {lowest.name}; within noise of it: {ties}."

"""Several scores in one table, with paired differences from the first score."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from stemjax.config.metrics import TITLES, Metric
from stemjax.eval.metrics.compare import SHARED, compare
from stemjax.eval.metrics.histograms import DESCRIPTORS
from stemjax.eval.metrics.score import FORMAT, HEADLINE
from stemjax.eval.reports import plots
from stemjax.eval.reports.report import (
    FIT_HEADER,
    as_csv,
    as_latex,
    as_markdown,
    fit_notes,
    fit_rows,
    notes,
    number,
)
from stemjax.io.errors import UserError

Score = Mapping[str, Any]
DRAWN = (Metric.FAD, Metric.FD_LOGMEL, Metric.MIRDD)
KAD_VECTORS = {Metric.FAD: "VGGish", Metric.FD_LOGMEL: "log-mel"}
"""Embeddings of the kernel distance (KAD) in a metric's entry."""


class TextTable(NamedTuple):
    """A table of strings."""

    header: list[str]
    """Titles of the columns."""
    rows: list[list[str]]
    """Cells of each row, one per column."""


class Overview(NamedTuple):
    """Tables of several scores; a table without rows is not printed."""

    scores: TextTable
    """One row per score."""
    differences: TextTable
    """Paired differences of each further score from the first."""
    descriptors: TextTable
    """KL divergence of MIRDD's descriptors, one column per score."""
    fit: TextTable
    """Fit metrics and imported scores."""
    footnotes: list[str]
    """Reasons why scores in the table are not comparable."""
    notes: list[str]
    """Remarks on the table of fit metrics."""


def overview(scores: Mapping[str, Score], *, forces: bool = False) -> Overview:
    """Tables of scores by name, in the given order.

    Args:
      forces: whether scores that are not comparable get a footnote instead of an error.

    Raises:
      UserError: scores of different examples or versions of a metric.
    """
    reasons = [text for name in scores for text in mismatches(scores, name)]
    if reasons and not forces:
        raise UserError(
            f"{reasons[0]}; score both on the same examples, or give --force"
        )
    return Overview(
        scores=_scores(scores),
        differences=_differences(scores),
        descriptors=_descriptors(scores),
        fit=_fit(scores),
        footnotes=[f"Not comparable: {text}." for text in reasons],
        notes=[
            f"{name}: {note}" for name in scores for note in fit_notes(scores[name])
        ],
    )


def mismatches(scores: Mapping[str, Score], name: str) -> list[str]:
    """Reasons why a score is not comparable with the first score, and its metrics with
    those of the first score that has them."""
    first, base = next(iter(scores.items()))
    report = scores[name]
    reasons = [
        f"{name} and {first} have different {title}"
        for field, title in SHARED.items()
        if report.get(field) != base.get(field)
    ]
    for metric in Metric:
        entries = {n: e for n, r in scores.items() if (e := _entry(r, metric))}
        if name in entries:
            other, entry = next(iter(entries.items()))
            if entry["id"] != entries[name]["id"]:
                reasons.append(
                    f"{name} has {entries[name]['id']}, {other} {entry['id']}"
                )
    return reasons


def markdown(tables: Overview, scores: Mapping[str, Score]) -> str:
    """All tables as one page of markdown."""
    few = [name for name, report in scores.items() if report["n"] < HEADLINE]
    footnotes = list(tables.footnotes)
    if few:
        footnotes.append(f"Few examples ({', '.join(few)}): no headline numbers.")
    ids = dict.fromkeys(
        entry["id"]
        for report in scores.values()
        for metric in Metric
        if (entry := _entry(report, metric))
    )
    lines = ["# Scores", "", as_markdown(*tables.scores)]
    lines += [f"**{footnote}**\n" for footnote in footnotes]
    for title, table in (
        (f"Paired differences from {next(iter(scores))}", tables.differences),
        ("MIRDD by descriptor, KL in nats", tables.descriptors),
        ("Fit to the context, and imported scores", tables.fit),
    ):
        if table.rows:
            lines += [f"## {title}", "", as_markdown(*table)]
    lines += [f"{note}\n" for note in tables.notes]
    lines += [f"- Measured: {', '.join(ids)}.", *notes(scores.values()), ""]
    return "\n".join(lines)


def csv(tables: Overview) -> str:
    """The table of scores as CSV."""
    return as_csv(*tables.scores)


def latex(tables: Overview) -> str:
    """The table of scores as LaTeX, with the footnotes as comments."""
    comments = "".join(f"% {note}\n" for note in tables.footnotes)
    return comments + as_latex(*tables.scores)


def as_json(scores: Mapping[str, Score], tables: Overview) -> dict[str, Any]:
    """The scores by name in their order, and the differences, as JSON values."""
    first, base = next(iter(scores.items()))
    return {
        "format": FORMAT,
        "names": list(scores),
        "scores": dict(scores),
        "baseline": first,
        "differences": {
            name: compare(report, base)
            for name, report in scores.items()
            if name != first and not mismatches(scores, name)
        },
        "footnotes": tables.footnotes,
    }


def save_picture(path: str | os.PathLike, scores: Mapping[str, Score]) -> bool:
    """Draw bars with standard errors; False, and no file, if no score has a value."""
    panels = [
        plots.metric_panel(scores, metric)
        for metric in DRAWN
        if any(_entry(report, metric) for report in scores.values())
    ]
    if panels:
        counts = sorted({report["n"] for report in scores.values()})
        title = f"{' / '.join(map(str, counts))} examples"
        if any(mismatches(scores, name) for name in scores):
            title += ", not comparable"
        plots.save_bars(path, list(scores), panels, title)
    return bool(panels)


def _entry(report: Score, metric: Metric) -> Mapping[str, Any] | None:
    """Entry of a metric that has a value."""
    entry = report["metrics"].get(metric.value, {})
    return entry if entry.get("value") is not None else None


def _scores(scores: Mapping[str, Score]) -> TextTable:
    has_vggish = all(_entry(report, Metric.FAD) for report in scores.values())
    kad = Metric.FAD if has_vggish else Metric.FD_LOGMEL
    header = [
        "config",
        "n",
        TITLES[Metric.FAD],
        TITLES[Metric.FD_LOGMEL],
        f"KAD ({KAD_VECTORS[kad]})",
        TITLES[Metric.MIRDD],
        "null median",
        "JS",
        "silent %",
    ]
    return TextTable(
        header, [_row(name, report, kad) for name, report in scores.items()]
    )


def _row(name: str, report: Score, kad: Metric) -> list[str]:
    metrics = report["metrics"]

    def cell(metric: Metric) -> str:
        return number(metrics[metric.value]) if metric.value in metrics else "n/a"

    music = _entry(report, Metric.MIRDD) or {}
    silent = 100 * report["silent"]["generated"] / report["n"]
    return [
        name,
        str(report["n"]),
        cell(Metric.FAD),
        cell(Metric.FD_LOGMEL),
        _digits((_entry(report, kad) or {}).get("kad")),
        cell(Metric.MIRDD),
        _digits(music.get("null", {}).get("median")),
        _digits(music.get("js")),
        f"{silent:.1f}",
    ]


def _differences(scores: Mapping[str, Score]) -> TextTable:
    (first, base), *others = scores.items()
    rows = []
    for name, report in others:
        if mismatches(scores, name):
            rows.append([name, "all", "", f"not comparable with {first}"])
            continue
        for key, entry in compare(report, base).items():
            value = f"{entry['difference']:+.4g} +- {entry['se']:.2g}"
            rows.append([name, _title(key), value, _verdict(entry["verdict"])])
    return TextTable(["config", "metric", "difference", "verdict"], rows)


def _title(key: str) -> str:
    """Title of a metric; the name of an imported score."""
    titles = {metric.value: title for metric, title in TITLES.items()}
    return titles.get(key, key)


def _verdict(verdict: str) -> str:
    """`compare.verdict` of a score, a, and the first score, b, in one word."""
    return {"a lower": "lower", "b lower": "higher"}.get(verdict, verdict)


def _descriptors(scores: Mapping[str, Score]) -> TextTable:
    columns = {
        name: entry["by_descriptor"]
        for name, report in scores.items()
        if (entry := _entry(report, Metric.MIRDD)) and "by_descriptor" in entry
    }
    rows = [
        [
            descriptor.name.replace("_", " "),
            *(f"{c[descriptor.name]['kl']:.4f}" for c in columns.values()),
        ]
        for descriptor in DESCRIPTORS
        if columns and all(descriptor.name in c for c in columns.values())
    ]
    return TextTable(["descriptor", *columns], rows)


def _fit(scores: Mapping[str, Score]) -> TextTable:
    rows = [
        [name, *cells] for name, report in scores.items() for cells in fit_rows(report)
    ]
    return TextTable(["config", *FIT_HEADER], rows)


def _digits(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4g}"

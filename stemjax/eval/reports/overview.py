"""Several scores in one table, with paired differences from the first of them."""

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
"""What vectors the KAD of a metric's entry is of."""


class Table(NamedTuple):
    """Cells as strings."""

    header: list[str]
    rows: list[list[str]]


class Overview(NamedTuple):
    """All that is said of several scores; a table without rows is left out."""

    scores: Table
    differences: Table
    """Of each further score from the first."""
    descriptors: Table
    """KL of MIRDD's descriptors, a column a score."""
    fit: Table
    """Metrics of fit, and scores made elsewhere."""
    footnotes: list[str]
    """Why what stands side by side cannot be compared."""
    notes: list[str]
    """On the table of fit."""


def overview(scores: Mapping[str, Score], *, forces: bool = False) -> Overview:
    """The tables of scores by name, in their order.

    forces: whether scores that cannot be compared get a footnote, not a refusal.

    Raises:
      UserError: scores of other examples, or other versions of a metric.
    """
    found = [fault for name in scores for fault in faults(scores, name)]
    if found and not forces:
        raise UserError(f"{found[0]}; score them alike on one set, or give --force")
    return Overview(
        scores=_scores(scores),
        differences=_differences(scores),
        descriptors=_descriptors(scores),
        fit=_fit(scores),
        footnotes=[f"Not comparable: {fault}." for fault in found],
        notes=[
            f"{name}: {note}" for name in scores for note in fit_notes(scores[name])
        ],
    )


def faults(scores: Mapping[str, Score], name: str) -> list[str]:
    """What keeps a score from being compared with the first, or its metrics with those
    of the first that has them, in words."""
    first, base = next(iter(scores.items()))
    report = scores[name]
    found = [
        f"{name} and {first} have other {what}"
        for field, what in SHARED.items()
        if report.get(field) != base.get(field)
    ]
    for metric in Metric:
        with_value = {n: e for n, r in scores.items() if (e := _there(r, metric))}
        if name in with_value:
            other, entry = next(iter(with_value.items()))
            if entry["id"] != with_value[name]["id"]:
                found.append(
                    f"{name} has {with_value[name]['id']}, {other} {entry['id']}"
                )
    return found


def markdown(found: Overview, scores: Mapping[str, Score]) -> str:
    """All tables as one page."""
    few = [name for name, report in scores.items() if report["n"] < HEADLINE]
    footnotes = list(found.footnotes)
    if few:
        footnotes.append(f"Few examples ({', '.join(few)}): no headline numbers.")
    ids = dict.fromkeys(
        entry["id"]
        for report in scores.values()
        for metric in Metric
        if (entry := _there(report, metric))
    )
    lines = ["# Scores", "", as_markdown(*found.scores)]
    lines += [f"**{footnote}**\n" for footnote in footnotes]
    for title, table in (
        (f"Paired differences from {next(iter(scores))}", found.differences),
        ("MIRDD by descriptor, KL in nats", found.descriptors),
        ("Fit to the context, and scores made elsewhere", found.fit),
    ):
        if table.rows:
            lines += [f"## {title}", "", as_markdown(*table)]
    lines += [f"{note}\n" for note in found.notes]
    lines += [f"- Measured: {', '.join(ids)}.", *notes(scores.values()), ""]
    return "\n".join(lines)


def csv(found: Overview) -> str:
    """The first table as CSV."""
    return as_csv(*found.scores)


def latex(found: Overview) -> str:
    """The first table in LaTeX, its footnotes as comments."""
    return "".join(f"% {note}\n" for note in found.footnotes) + as_latex(*found.scores)


def as_json(scores: Mapping[str, Score], found: Overview) -> dict[str, Any]:
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
            if name != first and not faults(scores, name)
        },
        "footnotes": found.footnotes,
    }


def save_picture(path: str | os.PathLike, scores: Mapping[str, Score]) -> bool:
    """Bars with standard errors; False and no file where no score has such a metric."""
    panels = [
        plots.metric_panel(scores, metric)
        for metric in DRAWN
        if any(_there(report, metric) for report in scores.values())
    ]
    if panels:
        counts = sorted({report["n"] for report in scores.values()})
        title = f"{' / '.join(map(str, counts))} examples"
        if any(faults(scores, name) for name in scores):
            title += ", not comparable"
        plots.save_bars(path, list(scores), panels, title)
    return bool(panels)


def _there(report: Score, metric: Metric) -> Mapping[str, Any] | None:
    entry = report["metrics"].get(metric.value, {})
    return entry if entry.get("value") is not None else None


def _scores(scores: Mapping[str, Score]) -> Table:
    has_vggish = all(_there(report, Metric.FAD) for report in scores.values())
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
    return Table(header, [_row(name, report, kad) for name, report in scores.items()])


def _row(name: str, report: Score, kad: Metric) -> list[str]:
    metrics = report["metrics"]

    def cell(metric: Metric) -> str:
        return number(metrics[metric.value]) if metric.value in metrics else "n/a"

    music = _there(report, Metric.MIRDD) or {}
    silent = 100 * report["silent"]["generated"] / report["n"]
    return [
        name,
        str(report["n"]),
        cell(Metric.FAD),
        cell(Metric.FD_LOGMEL),
        _digits((_there(report, kad) or {}).get("kad")),
        cell(Metric.MIRDD),
        _digits(music.get("null", {}).get("median")),
        _digits(music.get("js")),
        f"{silent:.1f}",
    ]


def _differences(scores: Mapping[str, Score]) -> Table:
    (first, base), *others = scores.items()
    rows = []
    for name, report in others:
        if faults(scores, name):
            rows.append([name, "all", "", f"not comparable with {first}"])
            continue
        for key, found in compare(report, base).items():
            value = f"{found['difference']:+.4g} +- {found['se']:.2g}"
            rows.append([name, _title(key), value, _verdict(found["verdict"])])
    return Table(["config", "metric", "difference", "verdict"], rows)


def _title(key: str) -> str:
    """Of a metric; a score made elsewhere has its own name."""
    titles = {metric.value: title for metric, title in TITLES.items()}
    return titles.get(key, key)


def _verdict(of_pair: str) -> str:
    """`compare.verdict` of a row, a, against the first, b."""
    return {"a lower": "lower", "b lower": "higher"}.get(of_pair, of_pair)


def _descriptors(scores: Mapping[str, Score]) -> Table:
    columns = {
        name: entry["by_descriptor"]
        for name, report in scores.items()
        if (entry := _there(report, Metric.MIRDD)) and "by_descriptor" in entry
    }
    rows = [
        [
            of.name.replace("_", " "),
            *(f"{c[of.name]['kl']:.4f}" for c in columns.values()),
        ]
        for of in DESCRIPTORS
        if columns and all(of.name in c for c in columns.values())
    ]
    return Table(["descriptor", *columns], rows)


def _fit(scores: Mapping[str, Score]) -> Table:
    rows = [
        [name, *cells] for name, report in scores.items() for cells in fit_rows(report)
    ]
    return Table(["config", *FIT_HEADER], rows)


def _digits(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4g}"

"""Score reports: one score as a page, and tables in markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemjax.config.metrics import TITLES, Metric

NOTES = (
    "Values are distances between the generated and the real population; lower is"
    " better. +- is one standard error (delete-a-group jackknife over examples). Few"
    " examples bias a distance upwards; the bias is the same for systems scored on the"
    " same examples.",
    "MIRDD is not comparable with the paper's values, because its transcribers are not"
    " public. Compare orderings and rough ratios.",
    "FD-logmel and FD-codec are specific to this project and not comparable with"
    " published FAD values. FD-codec favours audio decoded by the same codec.",
)

FIT_HEADER = ("score", "value", "real stems", "ratio to real", "other real stems")
"""Columns of the table of fit metrics (higher is better) and imported scores."""

_LATEX = str.maketrans(
    {sign: rf"\{sign}" for sign in "%_&#${}"}
    | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
)


def number(entry: Mapping[str, Any]) -> str:
    """Value and standard error of a metric's entry, or the reason why it is missing."""
    if entry.get("value") is None:
        return f"n/a ({_short(entry['reason'])})"
    error = entry.get("se")
    return f"{entry['value']:.4g}" + (f" +- {error:.2g}" if error is not None else "")


def _short(reason: str) -> str:
    """The reason without details in brackets or after a semicolon."""
    return reason.split(" (")[0].split(";")[0]


def markdown(report: Mapping[str, Any], title: str) -> str:
    """One score as markdown: the metrics, MIRDD by descriptor, and how to read them."""
    metrics = report["metrics"]
    lines = [
        f"# {title}",
        "",
        f"{report['n']} examples; silent: {report['silent']['generated']} generated"
        f" ({report['silent']['dropped']} dropped), {report['silent']['real']} real.",
        "",
        "| metric | value | bias-corrected | null median / 95 % | id |",
        "|---|---|---|---|---|",
    ]
    for metric in Metric:
        if metric.value not in metrics:
            continue
        entry = metrics[metric.value]
        has_value = entry.get("value") is not None
        corrected = f"{entry['corrected']:.4g}" if has_value else ""
        null = entry.get("null")
        band = f"{null['median']:.4g} / {null['p95']:.4g}" if null else ""
        lines.append(
            f"| {TITLES[metric]} | {number(entry)} | {corrected} | {band}"
            f" | {entry['id']} |"
        )
    if by_name := metrics.get(Metric.MIRDD.value, {}).get("by_descriptor"):
        lines += ["", "| descriptor | KL | reverse | JS |", "|---|---|---|---|"]
        lines += [
            f"| {name.replace('_', ' ')} | {d['kl']:.4f} | {d['reverse']:.4f}"
            f" | {d['js']:.4f} |"
            for name, d in by_name.items()
        ]
    if rows := fit_rows(report):
        lines += ["", as_markdown(FIT_HEADER, rows).rstrip()]
        lines += [f"\n{note}" for note in fit_notes(report)]
    if not report["headline"]:
        lines += ["", f"**Few examples ({report['n']}): no headline number.**"]
    return "\n".join([*lines, "", *notes([report]), ""])


def notes(reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """Markdown list: metrics that could not be measured and why, then `NOTES`."""
    missing = {
        f"{entry['id']}: n/a, {entry['reason']}": None
        for report in reports
        for entry in report["metrics"].values()
        if entry.get("status") == "unavailable"
    }
    return [f"- {note}" for note in (*missing, *NOTES)]


def fit_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Cells of `FIT_HEADER` for the fit metrics, then for imported scores.

    The values are not bias-corrected: APA is clipped, and a mean has no bias.
    """
    related = report.get("related", {})
    beats = related.get("beat_alignment", {})
    entries = [
        *related.get("apa", {}).values(),
        *filter(None, (beats, beats.get("any_level"), related.get("chroma_cosine"))),
        *report.get("imported", {}).values(),
    ]
    return [
        [
            entry["id"],
            number(entry),
            *(number(entry[k]) if entry.get(k) else "" for k in ("real", "ratio")),
            "" if entry.get("shuffled") is None else f"{entry['shuffled']:.4g}",
        ]
        for entry in entries
    ]


def fit_notes(report: Mapping[str, Any]) -> list[str]:
    """Warnings and remarks on the fit metrics and imported scores."""
    notes = [
        f"**Warning:** {entry['id']}: the stems are far from all real stems (remoteness"
        f" {entry['remoteness']:.3g}, above 1). Such stems score at random, and silence"
        " scores 1."
        for entry in report.get("related", {}).get("apa", {}).values()
        if (entry.get("remoteness") or 0) > 1
    ]
    return notes + [
        f"{entry['id']}: ignored {entry['ignored']} rows of other examples."
        for entry in report.get("imported", {}).values()
        if entry["ignored"]
    ]


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of strings as markdown."""
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def as_csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of strings as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def as_latex(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of strings as a LaTeX tabular with booktabs rules."""

    def line(cells: Sequence[str]) -> str:
        escaped = (c.translate(_LATEX) for c in cells)
        return " & ".join(c.replace("+-", r"$\pm$") for c in escaped) + r" \\"

    body = [line(header), r"\midrule", *map(line, rows)]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )

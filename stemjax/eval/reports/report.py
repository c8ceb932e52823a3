"""Reports of scores for people: a page of one, and tables in markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemjax.config.metrics import TITLES, Metric

NOTES = (
    "Distances are of the generated from the real population; lower is nearer. +- is a"
    " standard error (delete-a-group jackknife over examples); the bias of few examples"
    " is in the value, and the same for systems compared on one manifest.",
    "MIRDD cannot be compared with the paper's absolute values: its transcribers are"
    " closed. Only orderings and rough ratios can.",
    "FD-logmel and FD-codec are stand-ins of this project, not comparable with any"
    " published FAD. FD-codec favours what went through the same codec.",
)

FIT_HEADER = ("score", "value", "real stems", "ratio to real", "other real stems")
"""Of the metrics of fit, where higher is better, and of imported scores."""

_LATEX = str.maketrans(
    {sign: rf"\{sign}" for sign in "%_&#${}"}
    | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
)


def number(entry: Mapping[str, Any]) -> str:
    """A metric's value with its error, or why there is none."""
    if entry.get("value") is None:
        return f"n/a ({_short(entry['reason'])})"
    error = entry.get("se")
    return f"{entry['value']:.4g}" + (f" +- {error:.2g}" if error is not None else "")


def _short(reason: str) -> str:
    """What is missing, without where it was looked for and the mend."""
    return reason.split(" (")[0].split(";")[0]


def markdown(report: Mapping[str, Any], title: str) -> str:
    """One score as a page: the metrics, MIRDD by descriptor, and how to read them."""
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
        is_there = entry.get("value") is not None
        corrected = f"{entry['corrected']:.4g}" if is_there else ""
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
    """Lines of a list: what could not be measured, with the mend, and how to read."""
    missing = {
        f"{entry['id']}: n/a, {entry['reason']}": None
        for report in reports
        for entry in report["metrics"].values()
        if entry.get("status") == "unavailable"
    }
    return [f"- {note}" for note in (*missing, *NOTES)]


def fit_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """The cells of `FIT_HEADER` for the metrics of fit, then for imported scores.

    None of them is corrected for the bias of few examples: APA is clipped, and a mean has
    no such bias.
    """
    found = report.get("related", {})
    beats = found.get("beat_alignment", {})
    entries = [
        *found.get("apa", {}).values(),
        *filter(None, (beats, beats.get("any_level"), found.get("chroma_cosine"))),
        *report.get("imported", {}).values(),
    ]
    return [
        [
            entry["id"],
            number(entry),
            *(number(entry[of]) if entry.get(of) else "" for of in ("real", "ratio")),
            "" if entry.get("shuffled") is None else f"{entry['shuffled']:.4g}",
        ]
        for entry in entries
    ]


def fit_notes(report: Mapping[str, Any]) -> list[str]:
    """What has to be known to read them."""
    notes = [
        f"**Warning:** {entry['id']} is of stems far from all real ones (remoteness"
        f" {entry['remoteness']:.3g}, above 1): such stems score at random, and silence"
        " scores 1."
        for entry in report.get("related", {}).get("apa", {}).values()
        if (entry.get("remoteness") or 0) > 1
    ]
    return notes + [
        f"{entry['id']}: rows of other examples, ignored: {entry['ignored']}."
        for entry in report.get("imported", {}).values()
        if entry["ignored"]
    ]


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of strings in markdown."""
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def as_csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def as_latex(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as a LaTeX tabular with the rules of booktabs."""

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

"""Reports of scores for people: markdown, CSV and LaTeX rows of the same table."""

import csv
import io
from collections.abc import Mapping, Sequence
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


def number(entry: Mapping[str, Any]) -> str:
    """A metric's value with its error, or why there is none."""
    if entry.get("value") is None:
        return f"n/a ({_short(entry['reason'])})"
    return f"{entry['value']:.4g} +- {entry['se']:.2g}"


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
    if not report["headline"]:
        lines += ["", f"**Few examples ({report['n']}): no headline number.**"]
    return "\n".join([*lines, "", *(f"- {note}" for note in NOTES), ""])


COLUMNS = ("n", "FAD", "FD-logmel", "FD-codec", "MIRDD", "MIRDD-9", "silent %")


def table_row(report: Mapping[str, Any]) -> list[str]:
    """The cells of `COLUMNS` for one score."""
    metrics = report["metrics"]

    def cell(metric: Metric) -> str:
        return number(metrics[metric.value]) if metric.value in metrics else "n/a"

    silent = 100 * report["silent"]["generated"] / report["n"]
    shown = (
        Metric.FAD,
        Metric.FD_LOGMEL,
        Metric.FD_CODEC,
        Metric.MIRDD,
        Metric.MIRDD_9,
    )
    return [str(report["n"]), *map(cell, shown), f"{silent:.1f}"]


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of strings in markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def as_latex(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as a LaTeX tabular with the rules of booktabs."""

    def line(cells: Sequence[str]) -> str:
        escaped = (c.replace("%", r"\%").replace("_", r"\_") for c in cells)
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

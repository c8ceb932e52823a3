"""Results of the listening study: a page of markdown, a picture, a CSV."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.eval.reports import plots
from stemjax.eval.reports.report import as_csv, as_markdown
from stemjax.eval.studies.listening import (
    MISMATCHED,
    PLACED,
    REAL,
    REFERENCES,
    TITLES,
    Measure,
    MeasureValues,
)

HEADER = ("stems", *TITLES.values())
PLACE_HEADER = ("stems", *(TITLES[m] for m in PLACED))
NOTES = (
    "Every stem is analysed alone and compared with its context; higher is better. Ranges"
    " are 95 % intervals of a jackknife that leaves out songs.",
    "Beat alignment counts examples whose context and real stem both have beats; chroma"
    " cosine counts examples of pitched categories whose context and real stem both have"
    " notes. The same examples count for every row: a silent generated stem scores 0.",
    "Context gain is measured by the model itself: the cross-entropy of a stem's coarsest"
    " codes given another song's context minus that given the right context. It shows"
    " how much of the context the model used, not whether the stem sounds right, and"
    " guidance can raise it above the gain of real stems.",
    "Place: 0 is the mismatched stems, 1 the real stems. Mismatched stems have the right"
    " instrument, so instrument accuracy has no place.",
)


def page(result: Mapping[str, Any], title: str, about: Sequence[str]) -> str:
    """The measures, the places with their verdicts, the categories, and how to read them.

    Args:
      result: of `studies.listening.summarise`.
      about: lines on the model, the data and the settings.
    """
    rows = result["rows"]
    table = [
        [name, *(_interval(row["measures"][m.value]) for m in Measure)]
        for name, row in rows.items()
    ]
    counts = ["examples", *(str(_counted(result, m)) for m in Measure)]
    placed = {name: row["place"] for name, row in rows.items() if "place" in row}
    places = [
        [name, *(_place(place[m.value]) for m in PLACED)]
        for name, place in placed.items()
    ]
    lines = [
        f"# {title}",
        "",
        *(f"- {line}" for line in about),
        "",
        as_markdown(HEADER, [*table, counts]),
        "## Place between mismatched and real stems",
        "",
        as_markdown(PLACE_HEADER, places),
        *(f"- {line}" for line in verdict_lines(placed)),
        "",
        "## By category",
        "",
        as_markdown(*category_table(result)),
        *(f"- {name}: {text}" for name, text in REFERENCES.items()),
        *(f"- {note}" for note in NOTES),
        "",
    ]
    return "\n".join(lines)


def verdict_lines(placed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each generated row and measure with a place."""
    return [
        f"{name}, {TITLES[m]}: {place[m.value]['verdict']}"
        for name, place in placed.items()
        for m in PLACED
    ]


def category_table(
    result: Mapping[str, Any],
) -> tuple[Sequence[str], list[list[str]]]:
    """Header and rows of the means: generated / real / mismatched; n/a without a value."""
    names = [name for name in result["rows"] if name not in REFERENCES][:1]
    names += [REAL, MISMATCHED]
    header = ("category", "n", *(f"{TITLES[m]}: {' / '.join(names)}" for m in Measure))

    def cell(entry: Mapping[str, Any], measure: Measure) -> str:
        values = [entry["rows"][name][measure.value] for name in names]
        if all(value is None for value in values):
            return "n/a"
        return " / ".join("n/a" if v is None else f"{v:.2f}" for v in values)

    entries = result["by_category"]
    return header, [
        [name, str(entries[name]["n"]), *(cell(entries[name], m) for m in Measure)]
        for name in CATEGORIES
        if name in entries
    ]


def _counted(result: Mapping[str, Any], measure: Measure) -> int:
    return result["rows"][REAL]["measures"][measure.value]["counted"]


def _interval(entry: Mapping[str, Any]) -> str:
    """Value with its interval, or n/a."""
    if entry["value"] is None:
        return "n/a"
    if entry["low"] is None:
        return f"{entry['value']:.3f}"
    return f"{entry['value']:.3f} ({entry['low']:.3f} to {entry['high']:.3f})"


def _place(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return "n/a"
    return f"{entry['value']:.2f} ({entry['low']:.2f} to {entry['high']:.2f})"


def csv(
    values: MeasureValues,
    ids: Sequence[str],
    songs: Sequence[str],
    categories: Sequence[str],
) -> str:
    """One line for each row and example; a cell without a value is empty."""
    header = ("id", "song", "category", "stems", *(m.value for m in Measure))

    def cell(value: float) -> str:
        return f"{value:.6g}" if np.isfinite(value) else ""

    return as_csv(
        header,
        [
            [*example, name, *(cell(row[m][k]) for m in Measure)]
            for name, row in values.items()
            for k, example in enumerate(zip(ids, songs, categories, strict=True))
        ],
    )


def save_picture(
    path: str | os.PathLike, result: Mapping[str, Any], title: str
) -> None:
    """Draw one panel per measure and one line per row: means with intervals.

    Dashed lines mark the mismatched and the real stems.
    """
    rows = result["rows"]
    names = list(rows)
    figure = plots.new_figure(2.0 + 3.1 * len(Measure), 1.4 + 0.36 * len(names), title)
    axes = figure.subplots(1, len(Measure), sharey=True, squeeze=False)[0]
    for axis, measure in zip(axes, Measure, strict=True):
        for y, name in enumerate(names):
            entry = rows[name]["measures"][measure.value]
            if entry["value"] is None:
                axis.annotate("n/a", (0.02, y), xycoords=axis.get_yaxis_transform())
                continue
            colour = plots.GREY if name in REFERENCES else plots.BLUE
            if entry["low"] is not None:
                axis.plot([entry["low"], entry["high"]], [y, y], color=colour, lw=2)
            axis.plot(entry["value"], y, "o", color=colour)
        for name in (MISMATCHED, REAL):
            value = rows[name]["measures"][measure.value]["value"]
            if value is not None:
                axis.axvline(value, color=plots.ORANGE, lw=1, ls="--")
        axis.set_title(TITLES[measure], fontsize=11)
        axis.set_xlabel("higher is better")
        plots.clear_frame(axis, "x")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    plots.save(path, figure)

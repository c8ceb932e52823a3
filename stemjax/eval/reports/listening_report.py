"""The answer of `listening` for people: a page of markdown, a picture, a CSV."""

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
    SAYS,
    TITLES,
    Measure,
    Values,
)

HEADER = ("stems", *TITLES.values())
PLACE_HEADER = ("stems", *(TITLES[m] for m in PLACED))
NOTES = (
    "Every stem is analysed by itself beside its context; higher is better. Ranges are"
    " 95 % intervals by a jackknife that leaves songs out.",
    "Beat alignment is of examples whose context and real stem both have beats, chroma"
    " of those of pitched categories where both have notes, whatever was generated: a"
    " silent answer scores 0.",
    "Context gain is the cross-entropy, in the judgement of the model itself, of a"
    " stem's coarsest codes given another song's context minus given its own. It says"
    " how much of what the model takes from a context is in the stem, not whether the"
    " stem fits in anyone's ears, and guidance can raise it above that of real stems.",
    "Place: 0 is the mismatched stems, 1 the real ones. Mismatched stems are of the"
    " right instrument, so instrument accuracy has no place.",
)


def page(result: Mapping[str, Any], title: str, about: Sequence[str]) -> str:
    """The table, the places with their verdicts, the categories, how to read them."""
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
        "## Between the mismatched and the real",
        "",
        as_markdown(PLACE_HEADER, places),
        *(f"- {line}" for line in verdict_lines(placed)),
        "",
        "## By category",
        "",
        as_markdown(*category_table(result)),
        *(f"- {name}: {says}" for name, says in SAYS.items()),
        *(f"- {note}" for note in NOTES),
        "",
    ]
    return "\n".join(lines)


def verdict_lines(placed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One sentence for each row and measure of fit."""
    return [
        f"{name}, {TITLES[m]}: {place[m.value]['verdict']}"
        for name, place in placed.items()
        for m in PLACED
    ]


def category_table(
    result: Mapping[str, Any],
) -> tuple[Sequence[str], list[list[str]]]:
    """Header and rows: generated / real / mismatched means; n/a where none counts."""
    names = [name for name in result["rows"] if name not in SAYS][:1]
    names += [REAL, MISMATCHED]
    header = ("category", "n", *(f"{TITLES[m]}: {' / '.join(names)}" for m in Measure))

    def cell(found: Mapping[str, Any], measure: Measure) -> str:
        values = [found["rows"][name][measure.value] for name in names]
        if all(value is None for value in values):
            return "n/a"
        return " / ".join("n/a" if v is None else f"{v:.2f}" for v in values)

    found = result["by_category"]
    return header, [
        [name, str(found[name]["n"]), *(cell(found[name], m) for m in Measure)]
        for name in CATEGORIES
        if name in found
    ]


def _counted(result: Mapping[str, Any], measure: Measure) -> int:
    return result["rows"][REAL]["measures"][measure.value]["counted"]


def _interval(entry: Mapping[str, Any]) -> str:
    """Value and interval, or n/a."""
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
    values: Values, ids: Sequence[str], songs: Sequence[str], categories: Sequence[str]
) -> str:
    """A line for each row and example; empty where it has no value."""
    header = ("id", "song", "category", "stems", *(m.value for m in Measure))

    def cell(value: float) -> str:
        return f"{value:.6g}" if np.isfinite(value) else ""

    return as_csv(
        header,
        [
            [*about, name, *(cell(of_row[m][k]) for m in Measure)]
            for name, of_row in values.items()
            for k, about in enumerate(zip(ids, songs, categories, strict=True))
        ],
    )


def save_picture(
    path: str | os.PathLike, result: Mapping[str, Any], title: str
) -> None:
    """A panel a measure, a line a row: means with intervals, between the dashed lines
    of the mismatched and the real stems."""
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
            colour = plots.GREY if name in SAYS else plots.BLUE
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

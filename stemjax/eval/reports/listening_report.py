"""Results of the listening study: a page of markdown, a picture, a CSV."""

import os
from collections.abc import Iterable, Mapping, Sequence
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
    SCORES,
    TITLES,
    TRAITS,
    Measure,
    MeasureValues,
)

HEADER = ("stems", *(TITLES[m] for m in SCORES))
TRAIT_HEADER = ("stems", *(TITLES[m] for m in TRAITS))
PLACE_HEADER = ("stems", *(TITLES[m] for m in PLACED))
NOTES = (
    "Every stem is analysed alone and compared with its context. Of the fits, higher is"
    " better. Traits have no best value: compare them with those of the real stems. Ranges"
    " are 95 % intervals of a jackknife that leaves out songs.",
    "Beat alignment counts examples whose context and real stem both have beats; chroma"
    " cosine counts examples of pitched categories whose context and real stem both have"
    " notes. The same examples count for every row: a silent generated stem scores 0.",
    "Groove is the correlation of the stem's onset strength with itself 1, 2 or 4 beats of"
    " the context later (the largest): 1 for a loop of these beats, about 0.1 for noise.",
    "A drone is a stem whose commonest pitch sounds for 90 % of the time of its notes."
    " Pitches are of pitched categories with notes, loudness of stems that sound; a silent"
    " frame is 0.1 s below -60 dB.",
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
    counts = ["examples", *(str(_counted(result, m)) for m in SCORES)]
    placed = {name: row["place"] for name, row in rows.items() if "place" in row}
    lines = [
        f"# {title}",
        "",
        *(f"- {line}" for line in about),
        "",
        as_markdown(HEADER, [*measure_table(rows, SCORES), counts]),
        "## Traits",
        "",
        as_markdown(TRAIT_HEADER, measure_table(rows, TRAITS)),
        "## Place between mismatched and real stems",
        "",
        as_markdown(PLACE_HEADER, place_table(result)),
        *(f"- {line}" for line in verdict_lines(placed)),
        "",
        "## By category",
        "",
        as_markdown(*label_table(result, "by_category", CATEGORIES)),
        *group_lines(result),
        *(f"- {name}: {text}" for name, text in REFERENCES.items()),
        *(f"- {note}" for note in NOTES),
        "",
    ]
    return "\n".join(lines)


def measure_table(
    rows: Mapping[str, Any], measures: Sequence[Measure]
) -> list[list[str]]:
    """A line for each row: its means with their intervals."""
    return [
        [name, *(_interval(row["measures"][m.value]) for m in measures)]
        for name, row in rows.items()
    ]


def place_table(result: Mapping[str, Any]) -> list[list[str]]:
    """Two lines for each generated row: all examples; those whose stem sounds."""
    return [
        [title, *(_place(row[key][m.value]) for m in PLACED)]
        for name, row in result["rows"].items()
        if name not in REFERENCES
        for key, title in (
            ("place", name),
            ("place_if_sounding", f"{name}, {row['sounding']} that sound"),
        )
    ]


def group_lines(result: Mapping[str, Any]) -> list[str]:
    """Lines of the means by group of songs, if there are groups."""
    if "by_group" not in result:
        return []
    table = label_table(result, "by_group", result["by_group"])
    return ["## By group of songs", "", as_markdown(*table)]


def verdict_lines(placed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each generated row and measure with a place."""
    return [
        f"{name}, {TITLES[m]}: {place[m.value]['verdict']}"
        for name, place in placed.items()
        for m in PLACED
    ]


def label_table(
    result: Mapping[str, Any], key: str, order: Iterable[str]
) -> tuple[Sequence[str], list[list[str]]]:
    """Header and rows of the means: generated / real / mismatched; n/a without a value.

    Args:
      key: "by_category" or "by_group".
      order: the labels in the order of the table.
    """
    names = [name for name in result["rows"] if name not in REFERENCES][:1]
    names += [REAL, MISMATCHED]
    title = key.removeprefix("by_")
    header = (title, "n", *(f"{TITLES[m]}: {' / '.join(names)}" for m in Measure))

    def cell(entry: Mapping[str, Any], measure: Measure) -> str:
        values = [entry["rows"][name][measure.value] for name in names]
        if all(value is None for value in values):
            return "n/a"
        return " / ".join("n/a" if v is None else f"{v:.2f}" for v in values)

    entries = result[key]
    return header, [
        [label, str(entries[label]["n"]), *(cell(entries[label], m) for m in Measure)]
        for label in order
        if label in entries
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

    The scores are above, the traits below.  Dashed lines mark the mismatched and the real
    stems.
    """
    rows = result["rows"]
    names = list(rows)
    columns = max(len(SCORES), len(TRAITS))
    height = 2 * (1.4 + 0.36 * len(names))
    figure = plots.titled_figure(2.0 + 3.1 * columns, height, title)
    axes = figure.subplots(2, columns, sharey=True, squeeze=False)
    for axis in axes[1, len(TRAITS) :]:
        axis.set_visible(False)
    panels = [*zip(axes[0], SCORES, strict=True), *zip(axes[1], TRAITS, strict=False)]
    for axis, measure in panels:
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
        axis.set_xlabel(
            "higher is better" if measure in SCORES else "compare with real"
        )
        plots.clear_frame(axis, "x")
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    plots.save(path, figure)

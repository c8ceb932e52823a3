"""Which picture a table or a sweep of decoding settings gets."""

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stemjax.config.decode import DecodeConfig
from stemjax.config.metrics import TITLES, Metric
from stemjax.config.sweeps import Row
from stemjax.eval.reports import plots
from stemjax.eval.studies.rows import Report

DRAWN = (Metric.FAD, Metric.FD_LOGMEL, Metric.MIRDD)


def save_table(out: pathlib.Path, name: str, result: Mapping[str, Any]) -> None:
    """`<name>.png`, and a heatmap of each metric where a row has cells of two scales.

    result: of `stemjax.eval.studies.tables.measured`.
    """
    rows = [row for row in result["rows"] if row["report"]]
    reports = {row["name"]: row["report"] for row in rows}
    paper = [row["paper"] for row in rows]
    title = f"{result['title']}, {result['n']} examples"
    save_rows(out / f"{name}.png", reports, title, paper)
    for row in rows:
        points = [
            (tuple(cell["decode"]["scales"]), cell.get("metrics", {}))
            for cell in row["report"].get("cells", ())
        ]
        for metric in _there(reports):
            grid = scale_grid({p: m.get(metric.value) for p, m in points})
            if grid is not None:
                path = out / f"{name}_cells_{metric.value}.png"
                few = "few examples a cell: not comparable with the rows"
                _save_grid(path, grid, metric, f"{row['name']} ({few})")


def save_sweep(
    out: pathlib.Path, rows: Sequence[Row], reports: Mapping[str, Report], title: str
) -> None:
    """`sweep.png`: lines over one swept number, else bars; a heatmap of two scales."""
    fields = varied([row.points[0] for row in rows])
    path = out / "sweep.png"
    values = [getattr(row.points[0], f) for row in rows for f in fields]
    if len(fields) == 1 and all(isinstance(value, float) for value in values):
        panels = [plots.metric_panel(reports, metric) for metric in _there(reports)]
        plots.save_lines(path, values, panels, setting=fields[0], title=title)
        return
    save_rows(path, reports, title, [{}] * len(rows))
    if fields == ["scales"]:
        for metric in _there(reports):
            entries = (reports[row.name]["metrics"][metric.value] for row in rows)
            grid = scale_grid(dict(zip(values, entries, strict=True)))
            if grid is not None:
                _save_grid(out / f"sweep_{metric.value}.png", grid, metric, title)


def varied(configs: Sequence[DecodeConfig]) -> list[str]:
    """The settings in which some of the configs differ."""
    return [
        field.name
        for field in dataclasses.fields(DecodeConfig)
        if len({getattr(config, field.name) for config in configs}) > 1
    ]


def save_rows(
    path: pathlib.Path,
    reports: Mapping[str, Report],
    title: str,
    paper: Sequence[Mapping[str, float]],
) -> None:
    """Bars of every metric there is; the paper's values are printed beside ours."""
    panels = [
        plots.metric_panel(
            reports, metric, [values.get(metric.value) for values in paper]
        )
        for metric in _there(reports)
    ]
    plots.save_bars(path, list(reports), panels, title)


def _there(reports: Mapping[str, Report]) -> list[Metric]:
    def has(report: Report, metric: Metric) -> bool:
        return report["metrics"].get(metric.value, {}).get("value") is not None

    return [m for m in DRAWN if any(has(report, m) for report in reports.values())]


def scale_grid(
    entries: Mapping[tuple[float, ...], Mapping[str, Any] | None],
) -> tuple[np.ndarray, np.ndarray, list[float], list[float]] | None:
    """Values and errors [A, I], and both axes' scales; None if they make no grid.

    entries: (scale of the audio, of the instrument) -> a metric's entry, None: none.
    """
    if not entries or any(len(scales) != 2 for scales in entries):
        return None
    audio, instrument = (sorted(set(x)) for x in zip(*entries, strict=True))
    if min(len(audio), len(instrument)) < 2 or not all(
        point in entries for point in itertools.product(audio, instrument)
    ):
        return None
    values, errors = np.full((2, len(audio), len(instrument)), np.nan)
    for (a, i), entry in entries.items():
        if entry is not None and entry.get("value") is not None:
            at = audio.index(a), instrument.index(i)
            values[at] = entry["value"]
            errors[at] = np.nan if entry.get("se") is None else entry["se"]
    if np.isnan(values).all():
        return None
    return values, errors, audio, instrument


def _save_grid(path: pathlib.Path, grid, metric: Metric, title: str) -> None:
    values, errors, audio, instrument = grid
    plots.save_heatmap(
        path,
        values,
        errors=errors,
        rows=[f"{x:g}" for x in audio],
        columns=[f"{x:g}" for x in instrument],
        row_label="scale of the context audio",
        column_label="scale of the instrument",
        unit=plots.UNITS[metric],
        title=f"{TITLES[metric]}: {title}",
    )

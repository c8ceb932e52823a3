"""Bar charts, heatmaps and line plots of scores."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stemjax.config.metrics import TITLES, Metric
from stemjax.io.picture import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#888888"  # colour-blind safe (Okabe, Ito)
SMALL = 8  # font size of text inside the axes, points
COLUMNS = 3  # panels side by side

UNITS = {
    Metric.FAD: "squared distance; lower is better",
    Metric.FD_LOGMEL: "squared distance; lower is better",
    Metric.FD_CODEC: "squared distance; lower is better",
    Metric.MIRDD: "nats; lower is better",
    Metric.MIRDD_9: "nats; lower is better",
    Metric.MIRDD_REL: "nats; lower is better",
}
"""Axis labels of the metrics: unit and direction."""


class Panel(NamedTuple):
    """One metric of R rows or settings."""

    title: str
    """Title above the axes."""
    unit: str
    """Axis label: the unit, and whether lower or higher is better."""
    values: Sequence[float]
    """[R] values; NaN if missing."""
    errors: Sequence[float]
    """[R] standard errors; NaN draws no error bar."""
    paper: Sequence[float | None] = ()
    """[R] values of the paper, printed but not drawn, as their scale differs; or empty."""


def metric_panel(
    reports: Mapping[str, Mapping[str, Any]],
    metric: Metric,
    paper: Sequence[float | None] = (),
) -> Panel:
    """A metric of several reports of `score`, in their order; NaN if it has no value."""
    entries = [report["metrics"].get(metric.value, {}) for report in reports.values()]
    values, errors = (
        [np.nan if entry.get(field) is None else entry[field] for entry in entries]
        for field in ("value", "se")
    )
    return Panel(TITLES[metric], UNITS[metric], values, errors, paper)


def bars(rows: Sequence[str], panels: Sequence[Panel], title: str) -> "Figure":
    """Horizontal bars with standard errors, one panel per metric, one line per row.

    Args:
      rows: [R] names.

    Raises:
      ValueError: a panel with another number of rows.
    """
    for panel in panels:
        _check_length(panel, len(rows))
    width = 1.2 + 0.075 * max(map(len, rows)) + 3.8 * len(panels)
    figure = titled_figure(width, 1.5 + 0.32 * len(rows), title)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    at = np.arange(len(rows))
    for axis, panel in zip(axes, panels, strict=True):
        values, errors = _finite(panel.values), _finite(panel.errors)
        axis.barh(at, np.nan_to_num(values), height=0.62, color=BLUE)
        axis.errorbar(values, at, xerr=errors, fmt="none", ecolor="black", capsize=3)
        ends = np.nan_to_num(values + np.nan_to_num(errors))
        for y, value, error, end in zip(at, values, errors, ends, strict=True):
            axis.annotate(
                _number(value, error, " "),
                (max(end, 0), y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL,
            )
        low = min(0, float(np.min(np.nan_to_num(values - np.nan_to_num(errors)))))
        span = max(0, float(ends.max())) - low or 1
        # a third of the axis is room for the numbers
        axis.set_xlim(low - (0.05 * span if low else 0), low + 1.5 * span)
        axis.set_title(panel.title, fontsize=11)
        axis.set_xlabel(panel.unit)
        _print_paper(axis, panel.paper)
        clear_frame(axis, "x")
    axes[0].set_yticks(at, rows)
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    return figure


def heatmap(
    values: np.ndarray,
    *,
    errors: np.ndarray | None,
    rows: Sequence[str],
    columns: Sequence[str],
    row_label: str,
    column_label: str,
    unit: str,
    title: str,
) -> "Figure":
    """A grid of settings; low values are dark, and each cell shows its value.

    Args:
      values: [R, C]; NaN leaves the cell blank.
      errors: [R, C] standard errors, printed below the values, or None.
      unit: label of the colour bar: the unit, and whether lower or higher is better.

    Raises:
      ValueError: labels that do not match the shape of the values.
    """
    values = _finite(values)
    R, C = values.shape
    if (R, C) != (len(rows), len(columns)):
        raise ValueError(f"{len(rows)} x {len(columns)} labels for {R} x {C} values")
    errors = np.full((R, C), np.nan) if errors is None else _finite(errors)
    longest_row, longest_column = max(map(len, rows)), max(map(len, columns))
    is_upright = longest_column > 8
    figure = titled_figure(
        max(5.0, 2.2 + 0.08 * longest_row + 0.82 * C),
        max(4.0, 1.8 + 0.62 * R) + 0.08 * longest_column * is_upright,
        title,
    )
    axis = figure.subplots()
    image = axis.imshow(values, cmap="cividis", aspect="auto")
    if not np.isfinite(values).any():
        image.set_clim(0, 1)
    for r, c in np.argwhere(np.isfinite(values)):
        is_dark = image.norm(values[r, c]) < 0.5
        axis.text(
            c,
            r,
            _number(values[r, c], errors[r, c], "\n"),
            ha="center",
            va="center",
            fontsize=SMALL,
            color="white" if is_dark else "black",
        )
    axis.set_xticks(range(C), columns, rotation=90 * is_upright)
    axis.set_yticks(range(R), rows)
    axis.set_xlabel(column_label)
    axis.set_ylabel(row_label)
    figure.colorbar(image, ax=axis, label=unit)
    return figure


def lines(
    settings: Sequence[float],
    panels: Sequence[Panel],
    *,
    setting: str,
    title: str,
) -> "Figure":
    """Metrics with standard errors against one setting.

    Args:
      settings: [R] values of the setting, in the order of the panels' values.
      setting: name of the setting, with its unit.

    Raises:
      ValueError: a panel with another number of settings.
    """
    for panel in panels:
        _check_length(panel, len(settings))
    across = 2 if len(panels) == 4 else min(COLUMNS, len(panels))
    down = -(-len(panels) // across)
    figure = titled_figure(0.4 + 3.6 * across, 0.7 + 3.1 * down, title)
    axes = figure.subplots(down, across, sharex=True, squeeze=False).ravel()
    order = np.argsort(settings, kind="stable")
    x = np.asarray(settings, float)[order]
    for axis, panel in zip(axes, panels, strict=False):
        values, errors = _finite(panel.values)[order], _finite(panel.errors)[order]
        axis.errorbar(x, values, yerr=errors, color=BLUE, marker="o", ms=5, capsize=3)
        axis.set_title(panel.title, fontsize=11)
        axis.set_xlabel(setting)
        axis.xaxis.set_tick_params(labelbottom=True)
        axis.set_ylabel(panel.unit)
        clear_frame(axis, "both")
    for axis in axes[len(panels) :]:
        axis.remove()
    return figure


def save_bars(
    path: str | os.PathLike, rows: Sequence[str], panels: Sequence[Panel], title: str
) -> None:
    """Write `bars` as a PNG, atomically."""
    save(path, bars(rows, panels, title))


def save_heatmap(path: str | os.PathLike, values: np.ndarray, **keywords: Any) -> None:
    """Write `heatmap`, with its keywords, as a PNG, atomically."""
    save(path, heatmap(values, **keywords))


def save_lines(
    path: str | os.PathLike,
    settings: Sequence[float],
    panels: Sequence[Panel],
    *,
    setting: str,
    title: str,
) -> None:
    """Write `lines` as a PNG, atomically."""
    save(path, lines(settings, panels, setting=setting, title=title))


def titled_figure(width: float, height: float, title: str) -> "Figure":
    """An empty figure with a title, sized in inches."""
    figure = new_figure(width, height)
    figure.suptitle(title, fontsize=12)
    return figure


def clear_frame(axis: "Axes", grid: str) -> None:
    """Remove the frame's top and right sides and draw a pale grid behind the data.

    Args:
      grid: "x", "y" or "both", the axes whose ticks get lines.
    """
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis=grid, color="#dddddd", lw=0.6)
    axis.set_axisbelow(True)


def save(path: str | os.PathLike, figure: "Figure") -> None:
    """Write a figure as a PNG, atomically."""
    save_figure(path, figure, dpi=DPI)


def _finite(values: Sequence[float] | np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _number(value: float, error: float, between: str) -> str:
    if np.isnan(value):
        return "n/a"
    more = "" if np.isnan(error) else f"{between}\u00b1 {_digits(error, 2)}"
    return _digits(value, 3) + more


def _digits(value: float, count: int) -> str:
    """`count` significant digits, without an exponent for large values."""
    return f"{value:.{count}g}" if abs(value) < 10**count else f"{value:.0f}"


def _print_paper(axis: "Axes", paper: Sequence[float | None]) -> None:
    """Print the paper's values as a column of text at the right of a panel of bars."""
    if all(value is None for value in paper):
        return
    across = {"transform": axis.get_yaxis_transform(), "fontsize": SMALL, "ha": "left"}
    axis.text(1.02, -0.6, "paper", va="bottom", style="italic", **across)
    for y, value in enumerate(paper):
        axis.text(1.02, y, "" if value is None else f"{value:g}", va="center", **across)


def _check_length(panel: Panel, count: int) -> None:
    given = [len(panel.values), len(panel.errors)]
    if given != [count] * 2 or len(panel.paper) not in (0, count):
        raise ValueError(
            f"{panel.title}: {given} values and errors, {len(panel.paper)} of the"
            f" paper, for {count} rows"
        )

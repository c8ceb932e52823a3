"""What decoding settings cost and give: the settings that none beats in both."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stemjax.eval.plots import (
    BLUE,
    GREY,
    ORANGE,
    SMALL,
    clear_frame,
    new_figure,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# where a point's number may stand: points from its centre, the nearest first
OFFSETS = [
    (radius * np.cos(angle), radius * np.sin(angle))
    for radius in (9, 15, 22, 30, 40)
    for angle in np.pi / 4 * np.array([1, 7, 3, 5, 2, 6, 0, 4])
]
TEXT_BOX = 5.5, 4.5  # points, half the width and height of a number of two digits
MARKER_BOX = 3.5, 3.5
CHOSEN_BOX = 7.0, 7.0


class Point(NamedTuple):
    """One setting: what it costs and what it gives."""

    name: str
    seconds: float
    """Per stem, above 0."""
    values: Sequence[float]
    """[P] one a measure; NaN where there is none."""
    errors: Sequence[float]
    """[P] standard errors; NaN draws no error bar."""
    is_chosen: bool = False


class Measure(NamedTuple):
    """What one panel shows on its upright axis."""

    title: str
    unit: str
    higher_is_better: bool


def pareto(costs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Indices of the undominated points, by rising cost; lower is better in both.

    A point is dominated by one that is no worse in both and better in one.  So of equal
    costs the lowest value stays, of equal values the lowest cost, and points equal in
    both stay together, in their order.  A point with a NaN is never among them.

    costs, values: [N].
    """
    costs, values = np.asarray(costs, np.float64), np.asarray(values, np.float64)
    kept: list[int] = []
    for i in np.lexsort((values, costs)):
        if np.isnan(costs[i]) or np.isnan(values[i]):
            continue
        if kept:
            last = kept[-1]
            is_twin = costs[i] == costs[last] and values[i] == values[last]
            if values[i] >= values[last] and not is_twin:
                continue
        kept.append(int(i))
    return np.array(kept, int)


def frontier(
    points: Sequence[Point], measures: Sequence[Measure], title: str
) -> "Figure":
    """Seconds per stem against each measure, undominated points on a step line.

    Points are numbered by rising cost and named in a key beside the panels, which any
    number of long names leaves readable.  Errors are drawn but do not count: a point
    is undominated by its values alone.

    Raises:
      ValueError: no point; a point without a cost above 0, or of another number of
        values than there are measures.
    """
    points = sorted(points, key=lambda point: point.seconds)
    _check(points, len(measures))
    width = 0.7 + 0.08 * max(len(point.name) for point in points)
    figure = new_figure(
        4.4 * len(measures) + width, max(4.4, 1.3 + 0.165 * len(points)), title
    )
    ratios = [4.4] * len(measures) + [width]
    axes = figure.subplots(1, len(measures) + 1, width_ratios=ratios)
    corners = [_draw_measure(axes[p], points, m, p) for p, m in enumerate(measures)]
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False
    )
    axes[-1].axis("off")
    for k, point in enumerate(points):
        axes[-1].annotate(
            f"{k + 1:\u2007>2}  {point.name}",
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, -1.45 * SMALL * k),
            textcoords="offset points",
            va="top",
            fontsize=SMALL,
            weight="bold" if point.is_chosen else "normal",
        )
    figure.draw_without_rendering()  # the layout, on which places of numbers depend
    for p in range(len(measures)):
        _number_points(axes[p], points, p, corners[p])
    return figure


def save_frontier(
    path: str | os.PathLike,
    points: Sequence[Point],
    measures: Sequence[Measure],
    title: str,
) -> None:
    """`frontier` as a PNG, written whole or not at all."""
    save(path, frontier(points, measures, title))


def _draw_measure(
    axis: "Axes", points: Sequence[Point], measure: Measure, p: int
) -> np.ndarray:
    """Draw one panel; returns the corners [K, 2] of its frontier."""
    from matplotlib.ticker import LogLocator, NullFormatter

    seconds = np.array([point.seconds for point in points])
    values = np.array([point.values[p] for point in points], float)
    errors = np.array([point.errors[p] for point in points], float)
    is_chosen = np.array([point.is_chosen for point in points])
    best = pareto(seconds, -values if measure.higher_is_better else values)
    is_best = np.isin(np.arange(len(points)), best)
    axis.set_xscale("log")
    axis.errorbar(seconds, values, yerr=errors, fmt="none", ecolor="#bbbbbb", lw=1)
    for which, style in (
        (~is_best, {"mfc": "white", "mec": GREY, "label": "dominated"}),
        (is_best, {"mfc": BLUE, "mec": BLUE, "label": "undominated"}),
    ):
        axis.plot(seconds[which], values[which], "o", ms=6, **style)
    # at any cost the line is at the best value to be had for it
    corners = np.stack(
        [np.repeat(seconds[best], 2)[1:], np.repeat(values[best], 2)[:-1]], axis=1
    )
    axis.plot(*corners.T, color=BLUE, lw=1, label="frontier")
    if is_chosen.any():
        axis.plot(
            seconds[is_chosen],
            values[is_chosen],
            "o",
            ms=12,
            mfc="none",
            mec=ORANGE,
            mew=2,
            label="chosen",
        )
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(0.1)
    axis.set_title(measure.title, fontsize=11)
    axis.set_xlabel("seconds per stem (log scale)")
    axis.set_ylabel(measure.unit)
    clear_frame(axis, "both")
    return corners


def _number_points(
    axis: "Axes", points: Sequence[Point], p: int, corners: np.ndarray
) -> None:
    """Write 1, 2, ... where they cover no point, no number and no line, if possible."""
    from matplotlib.patheffects import withStroke

    to_points = 72 / axis.figure.dpi
    at = np.array([(point.seconds, point.values[p]) for point in points], float)
    centres = axis.transData.transform(at) * to_points  # [N, 2]
    is_there = np.isfinite(centres).all(axis=1)
    boxes = [
        (*centre, *(CHOSEN_BOX if point.is_chosen else MARKER_BOX))
        for centre, point in zip(centres, points, strict=True)
        if np.isfinite(centre).all()
    ]
    corners = axis.transData.transform(corners) * to_points
    for start, end in zip(corners[:-1], corners[1:], strict=True):
        count = 2 + int(np.linalg.norm(end - start) / 3)
        boxes += [(*xy, 1.0, 1.0) for xy in np.linspace(start, end, count)]
    for k in np.flatnonzero(is_there):
        covers = [
            sum(_overlap(centres[k] + offset, TEXT_BOX, box) for box in boxes)
            for offset in OFFSETS
        ]
        offset = OFFSETS[int(np.argmin(covers))]  # the nearest of the emptiest
        boxes.append((*(centres[k] + offset), *TEXT_BOX))
        text = axis.annotate(
            str(k + 1),
            at[k],
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SMALL,
            arrowprops={
                "arrowstyle": "-",
                "color": GREY,
                "lw": 0.5,
                "patchA": None,  # from the number's centre, or short lines vanish
                "shrinkA": 5,
                "shrinkB": 3,
            },
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
        text.set_in_layout(False)


def _overlap(
    centre: np.ndarray, half: tuple[float, float], box: tuple[float, ...]
) -> bool:
    x, y, half_width, half_height = box
    return (
        abs(centre[0] - x) < half[0] + half_width
        and abs(centre[1] - y) < half[1] + half_height
    )


def _check(points: Sequence[Point], count: int) -> None:
    if not points:
        raise ValueError("a frontier of no points")
    for point in points:
        if not 0 < point.seconds < np.inf:
            raise ValueError(f"{point.name}: a cost of {point.seconds} s")
        if len(point.values) != count or len(point.errors) != count:
            raise ValueError(
                f"{point.name}: {len(point.values)} values and {len(point.errors)}"
                f" errors for {count} measures"
            )

"""Distances of single clips as CSV and as lines of text."""

import numpy as np

from stemjax.config.metrics import TITLES
from stemjax.eval.reports.report import as_csv
from stemjax.eval.studies.per_clip import RankedClips


def csv(clips: RankedClips) -> str:
    """All clips as CSV, farthest first."""
    metrics = list(clips.real)
    header = ("file", *(metric.value for metric in metrics), "is_silent", "seconds")
    rows = [
        [
            row.file,
            *(_cell(row.distances[metric]) for metric in metrics),
            str(int(row.is_silent)),
            f"{row.seconds:.3f}",
        ]
        for row in clips.rows
    ]
    return as_csv(header, rows)


def lines(clips: RankedClips, count: int = 10) -> list[str]:
    """The farthest `count` clips, and the distances of real clips."""
    metrics = list(clips.real)
    width = max(len(row.file) for row in clips.rows[:count])
    head = "".join(f"{TITLES[metric]:>12}" for metric in metrics)
    text = [f"{'file':<{width}}{head}"]
    for row in clips.rows[:count]:
        distances = "".join(f"{row.distances[metric]:12.4g}" for metric in metrics)
        silent = "  silent" if row.is_silent else ""
        text.append(f"{row.file:<{width}}{distances}{silent}")
    for metric, real in clips.real.items():
        beyond = sum(row.distances[metric] > real.p95 for row in clips.rows)
        text.append(
            f"{TITLES[metric]} of real clips to other real clips: median"
            f" {real.median:.4g}, 95 % below {real.p95:.4g}; {beyond} of"
            f" {len(clips.rows)} generated clips are above that"
        )
    if any(np.isnan(row.distances[metrics[0]]) for row in clips.rows):
        text.append("nan: the clip has a single window and hence no covariance")
    return text


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"

"""Single clips against the real population: which ones to listen to.

The Frechet distance of one clip's own vectors to a population (Gui et al. 2023,
arXiv 2311.01616, sec. 4). Few vectors make it far larger than a distance of populations:
it ranks clips, and is read beside what real clips have.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.config.metrics import TITLES, Metric
from stemjax.eval.metrics import fad_inf, frechet
from stemjax.eval.metrics.embeddings import Embedding, population_vectors
from stemjax.eval.metrics.jackknife import assign_groups
from stemjax.eval.metrics.score import MIN_EXAMPLES
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.progress import Progress
from stemjax.eval.reports.report import as_csv
from stemjax.io.errors import UserError


class Usual(NamedTuple):
    """Distances of real clips."""

    median: float
    p95: float
    """95 % of the real clips are nearer."""


class Clip(NamedTuple):
    """One generated clip."""

    file: str
    """Its name without folders."""
    seconds: float
    is_silent: bool
    distances: Mapping[Metric, float]
    """NaN for a clip of one vector, which has no covariance."""


class Clips(NamedTuple):
    """Generated clips, worst first by the first of `usual`."""

    usual: Mapping[Metric, Usual]
    rows: list[Clip]


def measure(
    examples: Sequence[Example],
    embeddings: Sequence[Embedding],
    cache: pathlib.Path,
    *,
    progress: Progress = lambda what, done, total: None,
) -> Clips:
    """The distance of each generated clip, by each embedding.

    Raises:
      UserError: fewer than four examples, a clip too short to embed, or a file that
        cannot be read.
    """
    if len(examples) < MIN_EXAMPLES:
        raise UserError(f"{len(examples)} examples: {MIN_EXAMPLES} or more are needed")
    ids = [example.triple.id for example in examples]
    distances: dict[Metric, np.ndarray] = {}
    usual: dict[Metric, Usual] = {}
    for embedding in embeddings:
        real, generated = population_vectors(
            examples, embedding, cache, progress=progress
        )
        population = frechet.population(real, ids)
        distances[embedding.metric] = fad_inf.per_clip(population, generated, ids)
        usual[embedding.metric] = usual_of(real, ids)
    rows = [
        Clip(
            e.triple.generated.name,
            e.seconds,
            e.is_silent["generated"],
            {metric: float(found[i]) for metric, found in distances.items()},
        )
        for i, e in enumerate(examples)
    ]
    first = next(iter(usual))
    rows.sort(key=lambda row: -np.nan_to_num(row.distances[first], nan=-np.inf))
    return Clips(usual, rows)


def usual_of(real: Sequence[np.ndarray], ids: Sequence[str]) -> Usual:
    """What real clips have, each against those that are not of its jackknife group.

    A clip within the population that it is held against would be nearer than any other.

    real: vectors [P, D] of each clip, in the order of `ids`.
    """
    group = assign_groups(ids)
    names = np.unique(group)
    parts = [
        frechet.population(
            [real[i] for i in np.flatnonzero(group == g)],
            [ids[i] for i in np.flatnonzero(group == g)],
        )
        for g in names
    ]
    found = []
    for g, others in zip(names, frechet.leave_one_out(parts), strict=True):
        own = np.flatnonzero(group == g)
        clips = [real[i] for i in own]
        found.append(fad_inf.per_clip(others, clips, [ids[i] for i in own]))
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    if not len(values):
        return Usual(np.nan, np.nan)
    median, p95 = np.percentile(values, [50, 95])
    return Usual(float(median), float(p95))


def table(clips: Clips) -> str:
    """All clips as CSV."""
    metrics = list(clips.usual)
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


def lines(clips: Clips, count: int = 10) -> list[str]:
    """The worst clips and what is usual, for people."""
    metrics = list(clips.usual)
    first = metrics[0]
    width = max(len(row.file) for row in clips.rows[:count])
    head = "".join(f"{TITLES[metric]:>12}" for metric in metrics)
    text = [f"{'file':<{width}}{head}"]
    for row in clips.rows[:count]:
        shown = "".join(f"{row.distances[metric]:12.4g}" for metric in metrics)
        silent = "  silent" if row.is_silent else ""
        text.append(f"{row.file:<{width}}{shown}{silent}")
    for metric, usual in clips.usual.items():
        beyond = sum(row.distances[metric] > usual.p95 for row in clips.rows)
        text.append(
            f"{TITLES[metric]} of real clips against other real ones: median"
            f" {usual.median:.4g}, 95 % below {usual.p95:.4g}; {beyond} of"
            f" {len(clips.rows)} generated clips are above that"
        )
    if any(np.isnan(row.distances[first]) for row in clips.rows):
        text.append("nan: a clip of a single window, which has no covariance")
    return text


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"

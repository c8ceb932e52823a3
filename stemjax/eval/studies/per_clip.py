"""Rank generated clips by their distance from the real population.

The Frechet distance of one clip's vectors to a population (Gui et al. 2023, arXiv
2311.01616, sec. 4).  A single clip has few vectors, which makes it far larger than a
distance between populations.  It ranks clips; compare it with the distances of real
clips.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.config.metrics import Metric
from stemjax.eval.metrics import fad_inf, frechet
from stemjax.eval.metrics.embeddings import Embedding, population_vectors
from stemjax.eval.metrics.jackknife import assign_groups
from stemjax.eval.metrics.score import MIN_EXAMPLES
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.progress import StageProgress
from stemjax.io.errors import UserError


class RealDistances(NamedTuple):
    """Distances of real clips to the other real clips."""

    median: float
    """Median over the clips."""
    p95: float
    """95th percentile over the clips."""


class RankedClip(NamedTuple):
    """One generated clip with its distances."""

    file: str
    """File name without folders."""
    seconds: float
    """Length of the clip in seconds."""
    is_silent: bool
    """Whether no sample exceeds -60 dB re full scale."""
    distances: Mapping[Metric, float]
    """Distance by embedding; NaN for a clip with one vector, which has no covariance."""


class RankedClips(NamedTuple):
    """Generated clips, farthest first by the first metric of `real`."""

    real: Mapping[Metric, RealDistances]
    """Distances of the real clips, by embedding."""
    rows: list[RankedClip]
    """One per generated clip."""


def measure(
    examples: Sequence[Example],
    embeddings: Sequence[Embedding],
    cache: pathlib.Path,
    *,
    progress: StageProgress = lambda what, done, total: None,
) -> RankedClips:
    """Distance of each generated clip to the real population, by each embedding.

    Raises:
      UserError: fewer than four examples, a clip too short to embed, or an unreadable
        file.
    """
    if len(examples) < MIN_EXAMPLES:
        raise UserError(f"{len(examples)} examples: {MIN_EXAMPLES} or more are needed")
    ids = [example.triple.id for example in examples]
    distances: dict[Metric, np.ndarray] = {}
    real_distances: dict[Metric, RealDistances] = {}
    for embedding in embeddings:
        real, generated = population_vectors(
            examples, embedding, cache, progress=progress
        )
        population = frechet.population(real, ids)
        distances[embedding.metric] = fad_inf.per_clip(population, generated, ids)
        real_distances[embedding.metric] = distances_of_real(real, ids)
    rows = [
        RankedClip(
            e.triple.generated.name,
            e.seconds,
            e.is_silent["generated"],
            {metric: float(values[i]) for metric, values in distances.items()},
        )
        for i, e in enumerate(examples)
    ]
    first = next(iter(real_distances))
    rows.sort(key=lambda row: -np.nan_to_num(row.distances[first], nan=-np.inf))
    return RankedClips(real_distances, rows)


def distances_of_real(real: Sequence[np.ndarray], ids: Sequence[str]) -> RealDistances:
    """Distances of real clips to the real clips outside their jackknife group.

    A clip that is part of the population would be nearer than any other clip.

    Args:
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
    distances = []
    for g, others in zip(names, frechet.leave_one_out(parts), strict=True):
        members = np.flatnonzero(group == g)
        clips = [real[i] for i in members]
        distances.append(fad_inf.per_clip(others, clips, [ids[i] for i in members]))
    values = np.concatenate(distances)
    values = values[np.isfinite(values)]
    if not len(values):
        return RealDistances(np.nan, np.nan)
    median, p95 = np.percentile(values, [50, 95])
    return RealDistances(float(median), float(p95))

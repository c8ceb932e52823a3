"""Distances between a generated and a real population: the report `metrics.json`."""

import functools
import hashlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from stemjax.analysis.records import Analyser
from stemjax.config.metrics import TITLES, Metric
from stemjax.config.numbers import MIN_EXAMPLES
from stemjax.config.streams import Stream
from stemjax.eval.metrics import frechet, imported_scores, related
from stemjax.eval.metrics.embeddings import Embedding, population_vectors
from stemjax.eval.metrics.fad_inf import MIN_CLIPS, fad_inf
from stemjax.eval.metrics.histograms import histograms, relative_histograms
from stemjax.eval.metrics.imported import ImportedMusic
from stemjax.eval.metrics.jackknife import assign_groups, estimate_json, jackknife
from stemjax.eval.metrics.kad import kad
from stemjax.eval.metrics.mirdd import MirddDistance, mirdd, mirdd_rel
from stemjax.eval.metrics.mixes import analyse_mixes
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import AudioFacts, Example, Triple
from stemjax.eval.populations.progress import StageProgress, advance
from stemjax.io.errors import UserError
from stemjax.io.random import generator

FORMAT = 1
HEADLINE = 200
"""Examples that a headline value needs."""
KAD_VECTORS = 8_000
"""Most vectors of a population that the kernel distance takes: its cost is quadratic."""

MusicSource = Analyser | ImportedMusic
"""Analyser of the mixes, or a folder of analyses by another program."""


class ScoreSettings(NamedTuple):
    """Metrics to compute."""

    embeddings: tuple[Embedding, ...]
    """One Frechet distance for each."""
    analyser: MusicSource | None
    """Source of the music that MIRDD compares; None: no MIRDD."""
    unavailable: dict[Metric, str]
    """Metrics that cannot be computed on this machine, with the reason."""
    drops_silent: bool
    """Leave out examples with a silent generated stem."""
    seed: int
    """Seed of the jackknife groups and of all other draws."""
    has_related: bool = False
    """Compute APA, beat alignment and chroma cosine; they need contexts."""
    imported: Mapping[str, imported_scores.ScoreTable] = MappingProxyType({})
    """Scores of single examples from other programs, by name."""


def score(
    triples: Sequence[Triple],
    cache: pathlib.Path,
    settings: ScoreSettings,
    *,
    facts: Callable[[pathlib.Path], AudioFacts] = clips.read_facts,
    progress: StageProgress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Score a generated population against the real one.

    Args:
      triples: files of the examples.
      cache: folder of cached analyses.
      settings: metrics to compute.
      facts: reads a file, see `clips.probe`.
      progress: called with (stage, clips done, clips in all).

    Returns:
      The report as JSON values; equal inputs give equal reports.

    Raises:
      UserError: a bad file, named; fewer than four examples.
    """
    examples = probe_all(triples, facts, progress)
    silent = [e for e in examples if e.is_silent["generated"]]
    if settings.drops_silent:
        examples = [e for e in examples if not e.is_silent["generated"]]
    if len(examples) < MIN_EXAMPLES:
        raise UserError(
            f"{len(examples)} examples: {MIN_EXAMPLES} or more are needed for an error"
        )
    ids = [e.triple.id for e in examples]
    group = assign_groups(ids, seed=settings.seed)
    metrics: dict[str, Any] = {}
    for embedding in settings.embeddings:
        real, generated = population_vectors(
            examples, embedding, cache, progress=progress
        )
        extrapolates = embedding.metric is not Metric.FD_CODEC  # 256 dimensions
        metrics[embedding.metric.value] = {"id": embedding.label} | frechet_entry(
            real, generated, group, ids, extrapolates=extrapolates, seed=settings.seed
        )
    if settings.analyser is not None:
        metrics |= _music_entries(examples, group, settings, cache, progress)
    for metric, reason in settings.unavailable.items():
        metrics[metric.value] = {
            "id": TITLES[metric],
            "value": None,
            "status": "unavailable",
            "reason": reason,
        }
    more: dict[str, Any] = {}
    if settings.has_related:
        more["related"] = related.measure(
            examples,
            [e for e in settings.embeddings if e.metric is not Metric.FD_CODEC],
            group,
            ids,
            cache,
            progress=progress,
            seed=settings.seed,
        )
    if settings.imported:
        more["imported"] = imported_scores.measure(settings.imported, ids, group)
    return more | {
        "format": FORMAT,
        "n": len(examples),
        "ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
        "references": clips.joined_key([e.keys["real"] for e in examples]),
        "contents": clips.joined_key(
            [key for e in examples for key in e.keys.values()]
        ),
        "silent": {
            "generated": len(silent),
            "real": sum(e.is_silent["real"] for e in examples),
            "dropped": len(silent) if settings.drops_silent else 0,
        },
        "headline": len(examples) >= HEADLINE,
        "seed": settings.seed,
        "metrics": metrics,
    }


def probe_all(
    triples: Sequence[Triple],
    facts: Callable[[pathlib.Path], AudioFacts],
    progress: StageProgress = lambda what, done, total: None,
) -> list[Example]:
    """Apply `clips.probe` to every triple, in threads; the first error by id is raised."""
    examples = []
    probe = functools.partial(clips.probe, facts=facts)
    with ThreadPoolExecutor() as pool:
        for example in pool.map(probe, triples):
            examples.append(example)
            progress("reading", len(examples), len(triples))
    return examples


def frechet_entry(
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    group: np.ndarray,
    ids: Sequence[str],
    *,
    extrapolates: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """A Frechet distance with its jackknife and related numbers, as JSON values.

    `relative` is the distance divided by the trace of the real covariance; `infinity` is
    the value for infinitely many clips, left out below 20 clips; `kad` is the kernel
    distance of at most 8,000 vectors of each population, whose bias does not depend on
    their number.  Where it has no bandwidth, since most real vectors are equal (silence),
    it is None, with the reason in `kad_reason`.

    Args:
      real, generated: vectors [P, D] of each clip, in the order of `ids`.
      group: [C] int of `jackknife.assign_groups`.
      ids: of the examples.
      extrapolates: compute `infinity`, which takes hundreds of distances.
      seed: of the subsets.
    """
    estimate = jackknife(frechet.group_statistic(real, generated, group, ids), group)
    moments = frechet.moments(np.concatenate(real))
    trace = float(np.trace(moments.scatter) / (moments.n - 1))
    entry = estimate_json(estimate) | {
        "patches": int(sum(map(len, generated))),
        "real_trace": trace,
        "relative": estimate.value / trace if trace else None,
    }
    try:
        distance = kad(_subset(real, seed), _subset(generated, seed), seed=seed)
        entry["kad"] = distance.value
    except UserError as error:
        entry |= {"kad": None, "kad_reason": str(error)}
    if extrapolates and len(ids) >= MIN_CLIPS:
        line = fad_inf(real, generated, group, ids, seed=seed)
        entry["infinity"] = {
            "value": line.value,
            "se": line.se,
            "slope": line.slope,
            "r_squared": line.r_squared,
        }
    return entry


def _subset(vectors: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """All vectors of the clips, or a random subset of `KAD_VECTORS`."""
    pooled = np.concatenate(vectors)
    if len(pooled) <= KAD_VECTORS:
        return pooled
    rng = generator(seed, Stream.KAD_VECTORS)
    return pooled[np.sort(rng.choice(len(pooled), KAD_VECTORS, replace=False))]


def _music_entries(examples, group, settings, cache, progress) -> dict[str, Any]:
    analyser = settings.analyser
    label = analyser.label
    rows, relative = {}, {}
    for role in ("real", "generated"):
        step = advance(progress, f"music of {role} mixes", len(examples))
        if isinstance(analyser, ImportedMusic):
            analyses = analyser.music(examples, role, progress=step)
        else:
            analyses = analyse_mixes(examples, role, analyser, cache, progress=step)
        rows[role] = np.stack([histograms(a) for a in analyses])
        relative[role] = np.stack([relative_histograms(a) for a in analyses])
    seed = settings.seed
    result = mirdd(rows["real"], rows["generated"], group=group, seed=seed)
    rel = mirdd_rel(relative["real"], relative["generated"], group=group, seed=seed)
    whole = _mirdd_entry(Metric.MIRDD, label, result.mirdd) | {
        "reverse": float(result.mean.reverse),
        "symmetric": float(result.mean.symmetric),
        "js": float(result.mean.js),
        "by_descriptor": {
            name: {field: float(v) for field, v in divergences._asdict().items()}
            for name, divergences in result.by_descriptor.items()
        },
    }
    return {
        Metric.MIRDD.value: whole,
        Metric.MIRDD_9.value: _mirdd_entry(Metric.MIRDD_9, label, result.mirdd_nine),
        Metric.MIRDD_REL.value: _mirdd_entry(Metric.MIRDD_REL, label, rel),
    }


def _mirdd_entry(metric: Metric, label: str, distance: MirddDistance) -> dict[str, Any]:
    return {
        "id": f"{TITLES[metric]}[{label}]",
        **estimate_json(distance.estimate),
        "null": {"median": distance.null_median, "p95": distance.null_95},
        "adjusted": distance.adjusted,
    }

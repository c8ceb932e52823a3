"""Distances of a generated population from the real one, as `metrics.json`."""

import functools
import hashlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from stemjax.analysis.analysis import Analyser
from stemjax.config.metrics import TITLES, Metric
from stemjax.eval.metrics import frechet_report, imported_scores, related
from stemjax.eval.metrics.embeddings import Embedding, population_vectors
from stemjax.eval.metrics.histograms import histograms, relative_histograms
from stemjax.eval.metrics.imported import ImportedMusic
from stemjax.eval.metrics.jackknife import Estimate, assign_groups
from stemjax.eval.metrics.mirdd import Distance, mirdd, mirdd_rel
from stemjax.eval.metrics.mixes import analyse_mixes
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example, Facts, Triple
from stemjax.eval.populations.progress import Progress, advance
from stemjax.io.errors import UserError

FORMAT = 1
MIN_EXAMPLES = 4  # below it no error can be given
HEADLINE = 200  # examples below which a value is no headline


MusicSource = Analyser | ImportedMusic
"""Analyser of the mixes, or a folder of analyses by another program."""


class Settings(NamedTuple):
    """What is measured."""

    embeddings: tuple[Embedding, ...]
    analyser: MusicSource | None
    """None: no music analysis."""
    unavailable: dict[Metric, str]
    """Metrics that cannot be computed here, and why."""
    drops_silent: bool
    """Whether examples with a silent generated stem are left out."""
    seed: int
    has_related: bool = False
    """Whether APA, beat alignment and chroma cosine are wanted; they need contexts."""
    imported: Mapping[str, imported_scores.Table] = MappingProxyType({})
    """Scores of single examples that were made elsewhere, by name."""


def score(
    triples: Sequence[Triple],
    cache: pathlib.Path,
    settings: Settings,
    *,
    facts: Callable[[pathlib.Path], Facts] = clips.read_facts,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """The report of two paired populations, JSON values; nothing in it but the result.

    facts: see `clips.probe`.
    progress: called with (what, clips done, of how many).

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
        vectors = population_vectors(examples, embedding, cache, progress=progress)
        estimate, more = frechet_report.measure(
            *vectors,
            group,
            ids,
            extrapolates=embedding.metric is not Metric.FD_CODEC,  # 256 dimensions
            seed=settings.seed,
        )
        metrics[embedding.metric.value] = _entry(embedding.label, estimate) | more
    if settings.analyser is not None:
        metrics |= _music(examples, group, settings, cache, progress)
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
    facts: Callable[[pathlib.Path], Facts],
    progress: Progress = lambda what, done, total: None,
) -> list[Example]:
    """`clips.probe` of every triple, in threads; the first fault by id is raised."""
    examples = []
    probe = functools.partial(clips.probe, facts=facts)
    with ThreadPoolExecutor() as pool:
        for example in pool.map(probe, triples):
            examples.append(example)
            progress("reading", len(examples), len(triples))
    return examples


def _music(examples, group, settings: Settings, cache, progress) -> dict[str, Any]:
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
    whole = _distance_entry(Metric.MIRDD, label, result.mirdd)
    whole |= {
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
        Metric.MIRDD_9.value: _distance_entry(Metric.MIRDD_9, label, result.mirdd_nine),
        Metric.MIRDD_REL.value: _distance_entry(Metric.MIRDD_REL, label, rel),
    }


def _distance_entry(metric: Metric, label: str, distance: Distance) -> dict[str, Any]:
    return _entry(f"{TITLES[metric]}[{label}]", distance.estimate) | {
        "null": {"median": distance.null_median, "p95": distance.null_95},
        "adjusted": distance.adjusted,
    }


def _entry(label: str, estimate: Estimate) -> dict[str, Any]:
    return {
        "id": label,
        "value": estimate.value,
        "se": estimate.se,
        "corrected": estimate.corrected,
        "groups": [float(g) for g in estimate.groups],
        "sizes": [int(s) for s in estimate.sizes],
        "status": "ok",
    }

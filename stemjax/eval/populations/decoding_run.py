"""Populations of stems for one set of examples: rows of decoding settings.

    FOLDER/manifest.jsonl, FOLDER/{real,context}/<id>.flac
    FOLDER/stems/<key>/config.json and <id>.flac

The key is a hash of the weights, the settings and the variation, so rows that share a
point share its stems, and a stem is decoded once whatever asks for it.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.decode import DecodeConfig
from stemjax.config.runs import to_json
from stemjax.config.streams import Stream
from stemjax.config.sweeps import Row
from stemjax.eval.populations.clips import Triple
from stemjax.eval.populations.generate import (
    CONFIG,
    MANIFEST,
    ExampleSet,
    Job,
    Pair,
    System,
    describe,
)
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.random import generator


class DecodingRun(NamedTuple):
    """A system, the examples it is given, and where their clips lie."""

    system: System
    examples: ExampleSet
    folder: pathlib.Path


def open_decoding_run(run: DecodingRun) -> None:
    """Make the folder, or go on with one whose manifest agrees as far as both go.

    Raises:
      UserError: the folder holds other examples.
    """
    path = run.folder / MANIFEST
    text = run.examples.manifest
    if path.is_file():
        found = path.read_text(encoding="utf-8")
        if not (found.startswith(text) or text.startswith(found)):
            raise UserError(f"{path}: other examples; give another --out, or remove it")
        if len(found) >= len(text):
            return
    write_text(path, text)


def manifest_hash(examples: ExampleSet) -> str:
    """SHA-256 of the examples: what two results must share to be compared."""
    return hashlib.sha256(examples.manifest.encode()).hexdigest()


def deal(count: int, num_points: int, seed: int) -> np.ndarray:
    """Which point each of `count` examples takes, [count] int.

    Every run of `num_points` examples takes each point once, in random order: the parts
    are equal as far as they can be, and fewer examples keep what they were dealt.
    """
    rounds = -(-count // num_points)
    rng = generator(seed, Stream.SWEEP_DEAL)
    orders = [rng.permutation(num_points) for _ in range(rounds)]
    return np.concatenate(orders)[:count] if orders else np.zeros(0, int)


def point_description(
    system: System, config: DecodeConfig, variation: int
) -> dict[str, Any]:
    """All that a point's stems depend on beside their example, JSON values."""
    return describe(system) | {"decode": to_json(config), "variation": variation}


def point_key(system: System, config: DecodeConfig, variation: int) -> str:
    """The name of a point's folder: a hash of its description, names left out."""
    about = point_description(system, config, variation)
    about |= {"checkpoint": None, "codec": about["codec"]["sha256"]}
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def jobs_of(
    row: Row, run: DecodingRun, count: int, variation: int, seed: int
) -> list[Job]:
    """The stems of a row for the first `count` examples, in their order."""
    dealt = deal(count, len(row.points), seed)
    return [
        Job(
            pair,
            row.points[p],
            variation,
            stem_path(run, row.points[p], variation, pair),
        )
        for pair, p in zip(run.examples.pairs[:count], dealt, strict=True)
    ]


def stem_path(
    run: DecodingRun, config: DecodeConfig, variation: int, pair: Pair
) -> pathlib.Path:
    """Where one stem lies."""
    key = point_key(run.system, config, variation)
    return run.folder / "stems" / key / f"{pair.id}.flac"


def unique(jobs: Iterable[Job]) -> list[Job]:
    """Jobs of different files, in their first order."""
    return list({job.stem: job for job in jobs}.values())


def write_point_configs(system: System, jobs: Iterable[Job]) -> None:
    """Beside each point's stems, what they are."""
    for job in {job.stem.parent: job for job in jobs}.values():
        path = job.stem.parent / CONFIG
        if not path.is_file():
            about = point_description(system, job.config, job.variation)
            write_text(path, json.dumps(about, indent=2, sort_keys=True) + "\n")


def triples_of(jobs: Sequence[Job], folder: pathlib.Path) -> list[Triple]:
    """A row's stems beside the real ones and their contexts."""
    return [
        Triple(
            job.pair.id,
            real_path(folder, job.pair),
            job.stem,
            context_path(folder, job.pair),
        )
        for job in jobs
    ]


def real_path(folder: pathlib.Path, pair: Pair) -> pathlib.Path:
    """Where a real stem lies."""
    return folder / "real" / f"{pair.id}.flac"


def context_path(folder: pathlib.Path, pair: Pair) -> pathlib.Path:
    """Where a context lies."""
    return folder / "context" / f"{pair.id}.flac"

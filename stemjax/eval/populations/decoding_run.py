"""A decoding run: stems of one system for a set of examples, by decoding settings.

    FOLDER/manifest.jsonl, FOLDER/{real,context}/<id>.flac
    FOLDER/stems/<key>/config.json and <id>.flac

The key is a hash of the weights, the settings and the variation, so rows that share a
point share its stems, and each stem is decoded once.
"""

import hashlib
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.decode import DecodeConfig
from stemjax.config.runs import to_json
from stemjax.config.streams import Stream
from stemjax.config.sweeps import TableRow
from stemjax.decode.stem_model import StemModel
from stemjax.eval.populations.clips import Triple
from stemjax.eval.populations.generate import (
    CONFIG,
    MANIFEST,
    ExampleSet,
    Job,
    Pair,
    describe,
)
from stemjax.io.atomic import write_bytes
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text, read_bytes, write_json
from stemjax.io.random import generator


class DecodingRun(NamedTuple):
    """Decoding of a set of examples by one system into a folder."""

    system: StemModel
    """The model."""
    examples: ExampleSet
    """Contexts and real stems."""
    folder: pathlib.Path
    """Folder of the clips."""


def open_decoding_run(run: DecodingRun) -> None:
    """Create the folder, or continue one whose manifest starts with the same examples.

    Raises:
      UserError: the folder holds other examples.
    """
    path = run.folder / MANIFEST
    text = run.examples.manifest.encode()
    if path.exists():
        existing = read_bytes(path, mend="give another --out, or remove it")
        if not (existing.startswith(text) or text.startswith(existing)):
            raise UserError(
                f"{path}: lists other examples; give another --out, or remove it"
            )
        if len(existing) >= len(text):
            return
    write_bytes(path, text)


def manifest_hash(examples: ExampleSet) -> str:
    """SHA-256 of the examples; results with equal hashes are comparable."""
    return hashlib.sha256(examples.manifest.encode()).hexdigest()


def deal(count: int, num_points: int, seed: int) -> np.ndarray:
    """Assign one of `num_points` decoding settings to each example, [count] int.

    Every `num_points` consecutive examples have each setting once, in random order, so
    the settings have nearly equal shares and the result does not depend on `count`.
    """
    rounds = -(-count // num_points)
    rng = generator(seed, Stream.SWEEP_DEAL)
    orders = [rng.permutation(num_points) for _ in range(rounds)]
    return np.concatenate(orders)[:count] if orders else np.zeros(0, int)


def point_description(
    system: StemModel, config: DecodeConfig, variation: int
) -> dict[str, Any]:
    """Everything that a point's stems depend on apart from the example, JSON values."""
    return describe(system) | {"decode": to_json(config), "variation": variation}


def point_key(system: StemModel, config: DecodeConfig, variation: int) -> str:
    """Name of a point's folder: a hash of its description without names."""
    about = point_description(system, config, variation)
    about |= {"checkpoint": None, "codec": about["codec"]["sha256"]}
    return hashlib.sha256(json_text(about).encode()).hexdigest()[:16]


def jobs_of(
    row: TableRow, run: DecodingRun, count: int, variation: int, seed: int
) -> list[Job]:
    """Jobs of a table row for the first `count` examples, in order.

    Args:
      row: decoding settings, dealt over the examples.
      run: its examples and folder.
      count: number of examples.
      variation: number of the random answer to each context.
      seed: of the deal.
    """
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
    """Path of one stem."""
    key = point_key(run.system, config, variation)
    return run.folder / "stems" / key / f"{pair.id}.flac"


def unique(jobs: Iterable[Job]) -> list[Job]:
    """Jobs without duplicates of a file, in order."""
    return list({job.stem: job for job in jobs}.values())


def write_point_configs(system: StemModel, jobs: Iterable[Job]) -> None:
    """Write the description of each point beside its stems."""
    for job in {job.stem.parent: job for job in jobs}.values():
        path = job.stem.parent / CONFIG
        if not path.is_file():
            about = point_description(system, job.config, job.variation)
            write_json(path, about)


def triples_of(jobs: Sequence[Job], folder: pathlib.Path) -> list[Triple]:
    """Files of a row's stems with the real stems and contexts."""
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
    """Path of a real stem."""
    return folder / "real" / f"{pair.id}.flac"


def context_path(folder: pathlib.Path, pair: Pair) -> pathlib.Path:
    """Path of a context."""
    return folder / "context" / f"{pair.id}.flac"

"""Stems for a manifest of examples, as folders that any metric reads.

`RUN/{real,generated,context}/<id>.flac`, `RUN/manifest.jsonl` and `RUN/config.json`: the
form in which any other system can be evaluated as well (contracts.md, evaluate.py).
"""

import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from stemjax.codec.codec import Codec
from stemjax.config.categories import category_of
from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.eval.populations.clips import ROLES
from stemjax.io.atomic import write_text
from stemjax.io.audio_formats import write_flac
from stemjax.io.errors import UserError

CONFIG, MANIFEST = "config.json", "manifest.jsonl"


class Pair(Protocol):
    """One example: which context, and what stem is asked for."""

    @property
    def id(self) -> str: ...

    @property
    def song(self) -> str: ...

    @property
    def category(self) -> str: ...

    @property
    def seed(self) -> int: ...


class ExampleSet(NamedTuple):
    """Examples with their audio."""

    pairs: Sequence[Pair]
    manifest: str
    """The text of their `manifest.jsonl`: a line for each."""
    read: Callable[[Pair], tuple[np.ndarray, np.ndarray]]
    """Context mix and real stem, [N] float32 each at the systems' rate."""


class System(Protocol):
    """A model that answers contexts: `stemjax.api.Model`."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def config(self) -> StemGenConfig: ...

    @property
    def codec(self) -> Codec: ...

    @property
    def sample_rate(self) -> int: ...

    def answer(
        self,
        contexts: np.ndarray,
        categories: np.ndarray,
        seeds: np.ndarray,
        variations: np.ndarray,
        configs: Sequence[DecodeConfig],
    ) -> np.ndarray:
        """Stems [B, N] of contexts [B, N], row by row, settings included."""
        ...


class Job(NamedTuple):
    """One stem to decode."""

    pair: Pair
    config: DecodeConfig
    variation: int
    """Another one is another random answer to the same context."""
    stem: pathlib.Path
    """The file it goes to."""


def describe(system: System) -> dict[str, Any]:
    """What names a system, JSON values."""
    return {
        "checkpoint": {"name": system.name, "version": system.version},
        "sha256": system.sha256,
        "codec": {"name": system.codec.name, "sha256": system.codec.sha256},
        "sample_rate": system.sample_rate,
    }


def open_run(
    run: str | os.PathLike, description: dict[str, Any], manifest: str
) -> pathlib.Path:
    """Make a run's folder, or go on with one of the same description.

    description: all that the clips depend on, JSON values; the run's `config.json`.
    manifest: the text of its `manifest.jsonl`.

    Raises:
      UserError: the folder holds a run of another description.
    """
    folder = pathlib.Path(run)
    path = folder / CONFIG
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        for field, value in description.items():
            if found.get(field) != value:
                raise UserError(
                    f"{path}: its {field} is another; give another --out, or remove it"
                )
        return folder
    for role in ROLES:
        (folder / role).mkdir(parents=True, exist_ok=True)
    write_text(folder / MANIFEST, manifest)
    write_text(path, json.dumps(description, indent=2, sort_keys=True) + "\n")
    return folder


def write_references(
    folder: pathlib.Path,
    examples: ExampleSet,
    pairs: Iterable[Pair],
    sample_rate: int,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> None:
    """Write `folder/{real,context}/<id>.flac` of the pairs that lack them."""
    for pair in pairs:
        paths = [folder / role / f"{pair.id}.flac" for role in ("context", "real")]
        if not all(path.is_file() for path in paths):
            for path, audio in zip(paths, examples.read(pair), strict=True):
                write_flac(path, audio, sample_rate)
        progress(1)


def decode_stems(
    system: System,
    jobs: Iterable[Job],
    read: Callable[[Pair], tuple[np.ndarray, np.ndarray]],
    *,
    batch_size: int,
    progress: Callable[[int], None] = lambda count: None,
) -> None:
    """Decode and write the stems whose files are not there.

    A batch holds jobs of one compiled program, length and number of steps, and always
    `batch_size` rows, so that scales, weights and temperatures never recompile.  What a
    row gets does not depend on its batch.
    """
    missing = [job for job in jobs if not job.stem.is_file()]
    for batch in _batches(sorted(missing, key=_batch_of), read, batch_size):
        rows = batch + [batch[-1]] * (batch_size - len(batch))
        pairs = [job.pair for job, _ in rows]
        stems = system.answer(
            np.stack([context for _, context in rows]),
            np.array([category_of(pair.category) for pair in pairs], np.int32),
            np.array([pair.seed for pair in pairs]),
            np.array([job.variation for job, _ in rows], np.int32),
            [job.config for job, _ in rows],
        )
        for (job, _), stem in zip(batch, stems, strict=False):
            write_flac(job.stem, stem, system.sample_rate)
        progress(len(batch))


def program_of(config: DecodeConfig) -> tuple:
    """What the decoder is compiled for, but for its number of steps."""
    return config.guidance.value, config.top_p < 1


def _batch_of(job: Job) -> tuple:
    """Jobs that differ in this cannot share a batch."""
    return *program_of(job.config), job.config.steps


def _batches(
    jobs: Sequence[Job], read, size: int
) -> Iterator[list[tuple[Job, np.ndarray]]]:
    """Jobs with their contexts, up to `size` of one program and length."""
    batch: list[tuple[Job, np.ndarray]] = []
    for job in jobs:
        context, _ = read(job.pair)
        if batch and (_batch_of(job), len(context)) != (
            _batch_of(batch[0][0]),
            len(batch[0][1]),
        ):
            yield batch
            batch = []
        batch.append((job, context))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch

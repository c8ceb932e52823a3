"""Generation of stems for a set of examples, in folders that any metric reads.

`RUN/{real,generated,context}/<id>.flac`, `RUN/manifest.jsonl` and `RUN/config.json`.  Any
other system can be evaluated from such folders too.
"""

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from stemjax.config.categories import category_of
from stemjax.config.decode import DecodeConfig
from stemjax.decode.stem_model import StemModel
from stemjax.eval.populations.clips import ROLES
from stemjax.io.atomic import write_text
from stemjax.io.audio_files.formats import write_flac
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as, write_json

CONFIG, MANIFEST = "config.json", "manifest.jsonl"


class Pair(Protocol):
    """One example: a context and the category of the stem."""

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
    """The examples."""
    manifest: str
    """Text of `manifest.jsonl`: one line for each example."""
    read: Callable[[Pair], tuple[np.ndarray, np.ndarray]]
    """Example -> context mix and real stem, [N] float32 each at the system's rate."""


class Job(NamedTuple):
    """One stem to decode."""

    pair: Pair
    """The example."""
    config: DecodeConfig
    """Decoding settings."""
    variation: int
    """Number of the random answer to the context."""
    stem: pathlib.Path
    """File to write."""


def describe(system: StemModel) -> dict[str, Any]:
    """Names and hashes of a system, JSON values."""
    return {
        "checkpoint": {"name": system.name, "version": system.version},
        "sha256": system.sha256,
        "codec": {"name": system.codec.name, "sha256": system.codec.sha256},
        "sample_rate": system.sample_rate,
    }


def open_run(
    run: str | os.PathLike, description: dict[str, Any], manifest: str
) -> pathlib.Path:
    """Create a run's folder, or continue one with the same description.

    Args:
      run: path of the folder.
      description: everything that the clips depend on, JSON values for `config.json`.
      manifest: text of `manifest.jsonl`.

    Raises:
      UserError: the folder holds a run with another description.
    """
    folder = pathlib.Path(run)
    path = folder / CONFIG
    if path.is_file():
        existing = read_as(
            dict[str, Any], path, mend="give another --out, or remove it"
        )
        for field, value in description.items():
            if existing.get(field) != value:
                raise UserError(
                    f"{path}: its {field} differs; give another --out, or remove it"
                )
        return folder
    for role in ROLES:
        (folder / role).mkdir(parents=True, exist_ok=True)
    write_text(folder / MANIFEST, manifest)
    write_json(path, description)
    return folder


def write_references(
    folder: pathlib.Path,
    examples: ExampleSet,
    pairs: Iterable[Pair],
    sample_rate: int,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> None:
    """Write `folder/{real,context}/<id>.flac` of the pairs without these files."""
    for pair in pairs:
        paths = [folder / role / f"{pair.id}.flac" for role in ("context", "real")]
        if not all(path.is_file() for path in paths):
            for path, audio in zip(paths, examples.read(pair), strict=True):
                write_flac(path, audio, sample_rate)
        progress(1)


def decode_stems(
    system: StemModel,
    jobs: Iterable[Job],
    read: Callable[[Pair], tuple[np.ndarray, np.ndarray]],
    *,
    batch_size: int,
    progress: Callable[[int], None] = lambda count: None,
) -> None:
    """Decode and write the stems whose files do not exist.

    The jobs of a batch share a compiled program, length and number of steps.  A batch
    always has `batch_size` rows, so different scales, weights and temperatures do not
    recompile.  The result of a row does not depend on its batch.

    Args:
      system: decodes.
      jobs: stems to write.
      read: example -> context and real stem.
      batch_size: rows of a batch.
      progress: called with the number of stems of each batch.
    """
    missing = [job for job in jobs if not job.stem.is_file()]
    for batch in _batches(sorted(missing, key=_batch_of), read, batch_size):
        rows = batch + [batch[-1]] * (batch_size - len(batch))
        pairs = [job.pair for job, _ in rows]
        stems = system.generate_batch(
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
    """Static settings of the compiled decoder, except the number of steps."""
    return config.guidance.value, config.top_p < 1


def _batch_of(job: Job) -> tuple:
    """Settings that the jobs of a batch share."""
    return *program_of(job.config), job.config.steps


def _batches(
    jobs: Sequence[Job], read, size: int
) -> Iterator[list[tuple[Job, np.ndarray]]]:
    """Yield up to `size` jobs with their contexts, of one program and length."""
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

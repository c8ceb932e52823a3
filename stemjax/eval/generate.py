"""Stems for a manifest of examples, as folders that any metric reads.

`RUN/{real,generated,context}/<id>.flac`, `RUN/manifest.jsonl` and `RUN/config.json`: the
form in which any other system can be evaluated as well (contracts.md, evaluate.py).
"""

import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.categories import category_of
from stemjax.eval.clips import ROLES
from stemjax.io.atomic import replacing, write_text
from stemjax.io.errors import UserError

CONFIG, MANIFEST = "config.json", "manifest.jsonl"
FLAC_PEAK = 1 - 2**-23  # full scale of 24 bits


class Request(NamedTuple):
    """One example to answer; audio [N] float32 at the model's rate."""

    id: str
    category: str
    seed: int
    context: np.ndarray
    real: np.ndarray


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


def is_done(run: pathlib.Path, name: str) -> bool:
    """Whether an example's clips are there; the generated one is written last."""
    return (run / "generated" / f"{name}.flac").is_file()


def generate(
    answer: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    requests: Iterable[Request],
    run: pathlib.Path,
    *,
    sample_rate: int,
    batch_size: int,
    progress: Callable[[int], None] = lambda count: None,
) -> None:
    """Answer requests and write their clips.

    answer: contexts [B, N], categories [B] and seeds [B] to stems [B, N], row by row.
      Batches hold requests of one length and always `batch_size` rows.
    """
    for batch in _batches(requests, batch_size):
        contexts = np.stack([r.context for r in batch])
        missing = batch_size - len(batch)  # a last batch of another size would compile
        contexts = np.pad(contexts, ((0, missing), (0, 0)), mode="edge")
        rows = list(batch) + [batch[-1]] * missing
        categories = np.array([category_of(r.category) for r in rows], np.int32)
        stems = answer(contexts, categories, np.array([r.seed for r in rows]))
        for request, stem in zip(batch, stems, strict=False):
            clips = {"real": request.real, "context": request.context}
            for role, audio in (clips | {"generated": stem}).items():
                _write_flac(run / role / f"{request.id}.flac", audio, sample_rate)
        progress(len(batch))


def _batches(requests: Iterable[Request], size: int) -> Iterator[Sequence[Request]]:
    batch: list[Request] = []
    for request in requests:
        if batch and len(request.context) != len(batch[0].context):
            yield batch
            batch = []
        batch.append(request)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _write_flac(path: pathlib.Path, audio: np.ndarray, rate: int) -> None:
    """24-bit FLAC; what passes full scale is clipped, as FLAC must."""
    import soundfile

    with replacing(path) as part:
        clipped = np.clip(audio, -1.0, FLAC_PEAK)
        soundfile.write(part, clipped, rate, format="FLAC", subtype="PCM_24")

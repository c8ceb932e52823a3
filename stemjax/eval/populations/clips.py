"""Folders of audio as populations: real, generated and context clips, paired by name."""

import hashlib
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.analysis.audio import RATE, resample
from stemjax.io.audio import MIN_SECONDS, read_audio
from stemjax.io.errors import UserError

ROLES = ("real", "generated", "context")
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
MAX_DRIFT = 0.05  # seconds by which the lengths of a triple may differ
SILENT_PEAK = 1e-3  # -60 dB re full scale


class Triple(NamedTuple):
    """The files of one example."""

    id: str
    real: pathlib.Path
    generated: pathlib.Path
    context: pathlib.Path | None
    """Of both stems; None: stems are judged alone."""
    generated_context: pathlib.Path | None = None
    """Of the generated stem, where that has another context."""

    def files(self) -> dict[str, pathlib.Path]:
        """The files there are, by role."""
        paths = {role: getattr(self, role) for role in self._fields[1:]}
        return {role: path for role, path in paths.items() if path is not None}


class Facts(NamedTuple):
    """What is known of a file once it was read."""

    key: str
    """A hash of its samples and rate."""
    seconds: float
    is_silent: bool
    """No sample passes -60 dB re full scale."""


class Example(NamedTuple):
    """What is known of a triple once its files were read and checked."""

    triple: Triple
    keys: dict[str, str]
    """`Facts.key`, by role."""
    seconds: float
    """Length of the shortest file: the others are cut to it."""
    is_silent: dict[str, bool]
    """By role."""


def pair_folders(
    real: str | os.PathLike,
    generated: str | os.PathLike,
    context: str | os.PathLike | None = None,
) -> list[Triple]:
    """The triples `<id>.wav|flac|ogg|mp3` of two or three folders, sorted by id.

    Raises:
      UserError: no such folder, no audio in it, an id twice, or an id that one folder
        has and another lacks.
    """
    folders = {"real": real, "generated": generated}
    if context is not None:
        folders["context"] = context
    files = {role: _files(folder) for role, folder in folders.items()}
    for role in files:
        for other in files:
            for name in sorted(files[role].keys() - files[other].keys()):
                raise UserError(
                    f"{files[role][name]}: no {name}.wav (flac, ogg, mp3) in"
                    f" {folders[other]}; every id needs a file in each folder"
                )
    context_of = files.get("context", {})
    return [
        Triple(
            name, files["real"][name], files["generated"][name], context_of.get(name)
        )
        for name in sorted(files["real"])
    ]


def _files(folder: str | os.PathLike) -> dict[str, pathlib.Path]:
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found: dict[str, pathlib.Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise UserError(
                f"{path}: {found[path.stem].name} has the same id; keep one of them"
            )
        found[path.stem] = path
    if not found:
        raise UserError(f"{folder}: holds no wav, flac, ogg or mp3")
    return found


def read_facts(path: pathlib.Path) -> Facts:
    """Read a file; the samples are not kept.

    Raises:
      UserError: a file that cannot be read.
    """
    samples, rate = read_audio(path)
    is_silent = bool(np.abs(samples).max(initial=0.0) < SILENT_PEAK)
    return Facts(content_key(samples, rate), len(samples) / rate, is_silent)


def probe(
    triple: Triple, facts: Callable[[pathlib.Path], Facts] = read_facts
) -> Example:
    """Read and check one example.

    facts: what reads a file; a cached one reads what populations share once.

    Raises:
      UserError: a file that cannot be read, is shorter than 1 s, or is more than 50 ms
        longer than another.
    """
    found = {role: facts(path) for role, path in triple.files().items()}
    for role, fact in found.items():
        if fact.seconds < MIN_SECONDS:
            raise UserError(
                f"{getattr(triple, role)}: {fact.seconds:.2f} s is shorter than"
                f" {MIN_SECONDS:g} s; remove the example {triple.id!r}"
            )
    shortest = min(fact.seconds for fact in found.values())
    for role, fact in found.items():
        if fact.seconds - shortest > MAX_DRIFT:
            raise UserError(
                f"{getattr(triple, role)}: {fact.seconds:.2f} s, but another file of"
                f" {triple.id!r} has {shortest:.2f} s; cut them to one length"
            )
    return Example(
        triple,
        {role: fact.key for role, fact in found.items()},
        shortest,
        {role: fact.is_silent for role, fact in found.items()},
    )


def context_role(example: Example, role: str) -> str:
    """The role of the context that a role's stem belongs to."""
    is_own = role == "generated" and "generated_context" in example.keys
    return "generated_context" if is_own else "context"


def load(example: Example, role: str, rate: int = RATE) -> np.ndarray:
    """One file of an example: mono at `rate`, cut to the example's length, [N]."""
    samples, own = read_audio(getattr(example.triple, role))
    mono = resample(samples.mean(axis=1), own, rate)
    return mono[: round(example.seconds * rate)]


def content_key(samples: np.ndarray, rate: int) -> str:
    """blake2b-128 of samples [N, C] float32 and their rate; file names play no part."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{rate} {samples.shape}".encode())
    digest.update(np.ascontiguousarray(samples, "<f4").tobytes())
    return digest.hexdigest()


def joined_key(keys: Sequence[str]) -> str:
    """The key of what is made of several clips, in order."""
    return hashlib.blake2b(" ".join(keys).encode(), digest_size=16).hexdigest()

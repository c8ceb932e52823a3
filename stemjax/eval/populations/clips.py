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
MAX_DRIFT = 0.05
"""Seconds by which the lengths of a triple may differ."""
SILENT_PEAK = 1e-3
"""Peak of a silent clip: -60 dB re full scale."""


class Triple(NamedTuple):
    """Files of one example."""

    id: str
    """Name of the example."""
    real: pathlib.Path
    """The real stem."""
    generated: pathlib.Path
    """The generated stem."""
    context: pathlib.Path | None
    """Context of both stems; None: stems are scored alone."""
    generated_context: pathlib.Path | None = None
    """Context of the generated stem, if it has another one."""

    def files(self) -> dict[str, pathlib.Path]:
        """Existing files by role."""
        paths = {role: getattr(self, role) for role in self._fields[1:]}
        return {role: path for role, path in paths.items() if path is not None}


class AudioFacts(NamedTuple):
    """Properties of an audio file."""

    key: str
    """Hash of the samples and the rate."""
    seconds: float
    """Duration."""
    is_silent: bool
    """No sample exceeds -60 dB re full scale."""


class Example(NamedTuple):
    """A triple whose files were read and checked."""

    triple: Triple
    """The files."""
    keys: dict[str, str]
    """`AudioFacts.key` by role."""
    seconds: float
    """Duration of the shortest file; the others are cut to it."""
    is_silent: dict[str, bool]
    """`AudioFacts.is_silent` by role."""


def pair_folders(
    real: str | os.PathLike,
    generated: str | os.PathLike,
    context: str | os.PathLike | None = None,
) -> list[Triple]:
    """Pair the files `<id>.wav|flac|ogg|mp3` of two or three folders, sorted by id.

    Raises:
      UserError: a missing folder, a folder without audio, an id that occurs twice, or an
        id that another folder lacks.
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
    by_id: dict[str, pathlib.Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in by_id:
            raise UserError(
                f"{path}: {by_id[path.stem].name} has the same id; keep one of them"
            )
        by_id[path.stem] = path
    if not by_id:
        raise UserError(f"{folder}: holds no wav, flac, ogg or mp3")
    return by_id


def read_facts(path: pathlib.Path) -> AudioFacts:
    """Read a file and return its properties.

    Raises:
      UserError: the file cannot be read.
    """
    samples, rate = read_audio(path)
    is_silent = bool(np.abs(samples).max(initial=0.0) < SILENT_PEAK)
    return AudioFacts(content_key(samples, rate), len(samples) / rate, is_silent)


def probe(
    triple: Triple, facts: Callable[[pathlib.Path], AudioFacts] = read_facts
) -> Example:
    """Read and check one example.

    Args:
      triple: its files.
      facts: reads a file; with a cached function, shared files are read once.

    Raises:
      UserError: a file that cannot be read, is shorter than 1 s, or is more than 50 ms
        longer than another.
    """
    by_role = {role: facts(path) for role, path in triple.files().items()}
    for role, fact in by_role.items():
        if fact.seconds < MIN_SECONDS:
            raise UserError(
                f"{getattr(triple, role)}: {fact.seconds:.2f} s is shorter than"
                f" {MIN_SECONDS:g} s; remove the example {triple.id!r}"
            )
    shortest = min(fact.seconds for fact in by_role.values())
    for role, fact in by_role.items():
        if fact.seconds - shortest > MAX_DRIFT:
            raise UserError(
                f"{getattr(triple, role)}: {fact.seconds:.2f} s, but another file of"
                f" {triple.id!r} has {shortest:.2f} s; cut them to one length"
            )
    return Example(
        triple,
        {role: fact.key for role, fact in by_role.items()},
        shortest,
        {role: fact.is_silent for role, fact in by_role.items()},
    )


def context_role(example: Example, role: str) -> str:
    """Role of the context of a role's stem."""
    is_own = role == "generated" and "generated_context" in example.keys
    return "generated_context" if is_own else "context"


def load(example: Example, role: str, rate: int = RATE) -> np.ndarray:
    """Read one file of an example: mono at `rate`, cut to the example's length, [N]."""
    samples, file_rate = read_audio(getattr(example.triple, role))
    mono = resample(samples.mean(axis=1), file_rate, rate)
    return mono[: round(example.seconds * rate)]


def content_key(samples: np.ndarray, rate: int) -> str:
    """Hash (blake2b-128) of samples [N, C] float32 and their rate."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{rate} {samples.shape}".encode())
    digest.update(np.ascontiguousarray(samples, "<f4").tobytes())
    return digest.hexdigest()


def joined_key(keys: Sequence[str]) -> str:
    """Key of a result of several clips, in order."""
    return hashlib.blake2b(" ".join(keys).encode(), digest_size=16).hexdigest()

"""Read and write session.json (format 1) and token files."""

import dataclasses
import pathlib
import re
from typing import Any

import numpy as np

from stemjax.codec.codec import Codec
from stemjax.config.categories import CATEGORIES
from stemjax.config.codec import is_same_codec
from stemjax.config.decode import DecodeConfig
from stemjax.config.numbers import CheckedNumbers, Decibels, Seed, Variations
from stemjax.config.plain_values import to_json
from stemjax.config.releases import CodecReference
from stemjax.io.atomic import replacing
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_json, typed, write_json
from stemjax.io.npz import read_npz

FORMAT = 1
FILE = "session.json"
MEND = "make the session again"
TOKENS_MEND = "give the .npz of the stem"
_FILE_NAME = re.compile(r"[\w-]+\.\w+")  # a file inside the session folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerSettings(DecodeConfig):
    """Decoding settings of a layer, and how its stem was chosen."""

    preset: str | None = None
    """Name of the preset of the settings."""
    variations: Variations = 1
    """Number of stems that were generated."""
    keep: int | str = "best"
    """Number, from 1, of the variation to keep, or "best"."""

    def __post_init__(self):
        super().__post_init__()
        is_number = isinstance(self.keep, int)
        if not (
            1 <= self.keep <= self.variations if is_number else self.keep == "best"
        ):
            raise ValueError(f'keep must be 1..{self.variations} or "best"')


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecodingWindows:
    """Windows of contexts that exceed one."""

    seconds: float
    """Length of a window."""
    overlap_seconds: float
    """Length that a window shares with the one before it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerRecord(CheckedNumbers):
    """Entry of one layer in session.json."""

    id: int
    """From 1, in the order in which layers were made."""
    instrument: str
    seed: Seed
    settings: LayerSettings
    window: DecodingWindows
    tokens: str
    """layer_NN.npz: codes of the stem."""
    stem: str
    """layer_NN.wav: the stem at its level in the mix."""
    gain_db: Decibels
    """Gain of the stem, dB, without the common gain of the mix."""
    kept_variation: Variations
    """Number of the variation that was kept, from 1."""
    scores: dict[str, tuple[float, ...]]
    """Scores by name, one value per variation."""

    def __post_init__(self):
        super().__post_init__()
        if self.instrument not in CATEGORIES:
            raise ValueError(f"instrument must be one of {', '.join(CATEGORIES)}")
        counts = {self.settings.variations, *map(len, self.scores.values())}
        if len(counts) > 1 or self.kept_variation > self.settings.variations:
            raise ValueError("variations, kept_variation and scores do not agree")
        _check_file_names(self.tokens, self.stem)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointRecord:
    """Model that made a session."""

    name: str
    version: str
    sha256: str
    """Digest of the weights."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextRecord:
    """Context of a session."""

    file: str | None
    """Base name; null for silence."""
    sha256: str
    """Digest of the file, or of the samples of silence."""
    rate: int
    """Hz."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicRecord:
    """Tempo, key and metre, supplied or estimated; null if unknown."""

    bpm: float | None = None
    """Beats per minute."""
    key: str | None = None
    """"C:maj", "A:min", ..."""
    beats_per_bar: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixRecord:
    """Mix of a session."""

    file: str
    """The mix."""
    context: str
    """The context track."""
    gain: float
    """Common gain of all tracks."""

    def __post_init__(self):
        _check_file_names(self.file, self.context)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """Content of session.json."""

    format: int = FORMAT
    """Format of the file."""
    checkpoint: CheckpointRecord
    context: ContextRecord
    seconds: float
    """Length of the session."""
    rate: int
    """Rate of the written tracks, Hz."""
    music: MusicRecord
    loop: bool
    """Whether the context is a loop."""
    mix: MixRecord
    layers: tuple[LayerRecord, ...]
    """The layers in order."""

    def __post_init__(self):
        ids = [layer.id for layer in self.layers]
        if ids != list(range(1, len(ids) + 1)):
            raise ValueError(f"layers are numbered {ids[:100]}, not from 1")


def _check_file_names(*names: str) -> None:
    for name in names:
        if not _FILE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a file of this folder")


def save(folder: pathlib.Path, session: SessionRecord) -> None:
    """Write session.json atomically."""
    write_json(folder / FILE, to_json(session))


def read(folder: pathlib.Path) -> SessionRecord:
    """Read session.json of a folder.

    Raises:
      UserError: missing, of another format, a missing, unknown or mistyped field, or
        file names outside the folder.
    """
    path = folder / FILE
    if not path.exists():
        raise UserError(f"{path}: no such session; make one with layer")
    content = typed(dict[str, Any], read_json(path, mend=MEND), path, mend=MEND)
    if content.get("format") != FORMAT:
        raise UserError(f"{path}: not a session of format {FORMAT}; make it again")
    return typed(SessionRecord, content, path, mend=MEND)


def save_tokens(path: pathlib.Path, tokens: np.ndarray, codec: Codec) -> None:
    """Write codes [Q, T] and the digests of their codec."""
    with replacing(path) as part, open(part, "wb") as file:
        np.savez(
            file,
            tokens=tokens.astype(np.uint16),
            codec=np.array(codec.sha256),
            codec_config=np.array(codec.config_sha256),
        )


def read_tokens(path: pathlib.Path, codec: Codec) -> np.ndarray:
    """Read codes [Q, T] int32 written by `save_tokens`.

    Raises:
      UserError: no such file, no token file, or codes of another codec, shape or range.
    """
    arrays = read_npz(path, mend=TOKENS_MEND)
    tokens, digest = arrays.get("tokens"), arrays.get("codec")
    config = arrays.get("codec_config", np.array(""))
    if tokens is None or not all(_is_text(a) for a in (digest, config)):
        raise UserError(f"{path}: not a token file; {TOKENS_MEND}")
    made = CodecReference(name="?", sha256=str(digest), config_sha256=str(config))
    if not is_same_codec(made, codec):
        raise UserError(
            f"{path}: tokens of another codec ({made.sha256[:12]}); give the model that"
            " generated them with --checkpoint, or the stem without --tokens"
        )
    levels, size = codec.config.num_codebooks, codec.config.codebook_size
    if tokens.ndim != 2 or tokens.shape[0] != levels or not tokens.size:
        raise UserError(
            f"{path}: tokens are {tokens.shape}, not [{levels}, T]; {TOKENS_MEND}"
        )
    if tokens.dtype.kind not in "iu":
        raise UserError(f"{path}: tokens are {tokens.dtype}, no codes; {TOKENS_MEND}")
    if not 0 <= tokens.min() <= tokens.max() < size:
        raise UserError(
            f"{path}: tokens lie in {tokens.min()}..{tokens.max()}, outside of the {size}"
            f" codes of the codec; {TOKENS_MEND}"
        )
    return tokens.astype(np.int32)


def _is_text(array: np.ndarray | None) -> bool:
    return array is not None and array.ndim == 0 and array.dtype.kind == "U"

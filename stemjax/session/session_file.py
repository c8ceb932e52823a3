"""Read and write session.json (format 1) and token files."""

import dataclasses
import json
import pathlib
import re
from typing import Any

import numpy as np

from stemjax.io.atomic import replacing, write_text
from stemjax.io.errors import UserError

FORMAT = 1
FILE = "session.json"
_FILE_NAME = re.compile(r"[\w-]+\.\w+")  # a file inside the session folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """Entry of one layer in session.json."""

    id: int
    """From 1, in the order in which layers were made."""
    instrument: str
    seed: int
    settings: dict[str, Any]
    """Decoding settings, JSON values."""
    window: dict[str, float]
    """{"seconds", "overlap_seconds"}: decoding windows of contexts that exceed one."""
    tokens: str
    """layer_NN.npz: codes of the stem."""
    stem: str
    """layer_NN.wav: the stem at its level in the mix."""
    gain_db: float
    """Gain of the stem, dB, without the common gain of the mix."""
    kept_variation: int
    """Number of the variation that was kept, from 1."""
    scores: dict[str, list[float]]
    """Scores by name, one value per variation."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """Content of session.json."""

    checkpoint: dict[str, str]
    """{"name", "version", "sha256"}."""
    context: dict[str, Any]
    """{"file", "sha256", "rate"}; file is null for silence."""
    seconds: float
    """Length of the session."""
    rate: int
    """Rate of the written tracks, Hz."""
    music: dict[str, Any]
    """{"bpm", "key", "beats_per_bar"}, supplied or estimated; null if unknown."""
    loop: bool
    """Whether the context is a loop."""
    mix: dict[str, Any]
    """{"file", "context", "gain"}: files of the mix and of the context track, and the
    common gain of all tracks."""
    layers: tuple[LayerRecord, ...]
    """The layers in order."""


def save(folder: pathlib.Path, session: SessionRecord) -> None:
    """Write session.json atomically."""
    content = {"format": FORMAT, **dataclasses.asdict(session)}
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    write_text(folder / FILE, text + "\n")


def read(folder: pathlib.Path) -> SessionRecord:
    """Read session.json of a folder.

    Raises:
      UserError: missing, of another format, or with file names outside the folder.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such session; make one with layer") from None
    except (ValueError, OSError) as error:
        raise UserError(
            f"{path}: not readable ({error}); make the session again"
        ) from None
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise UserError(f"{path}: not a session of format {FORMAT}; make it again")
    try:
        layers = tuple(LayerRecord(**layer) for layer in content.pop("layers"))
        session = SessionRecord(**content, layers=layers)
        names = [name for layer in layers for name in (layer.tokens, layer.stem)]
        ids = [layer.id for layer in layers]
    except (TypeError, KeyError, AttributeError):
        raise UserError(f"{path}: fields are missing; make the session again") from None
    for name in names:
        if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
            raise UserError(
                f"{path}: {name!r} is not a file of this folder; make it again"
            )
    if ids != list(range(1, len(ids) + 1)):
        raise UserError(f"{path}: layers are numbered {ids}, not from 1; make it again")
    return session


def save_tokens(path: pathlib.Path, tokens: np.ndarray, codec_sha256: str) -> None:
    """Write codes [Q, T] and the digest of their codec."""
    with replacing(path) as part, open(part, "wb") as file:
        np.savez(file, tokens=tokens.astype(np.uint16), codec=np.array(codec_sha256))


def read_tokens(path: pathlib.Path, codec_sha256: str, levels: int) -> np.ndarray:
    """Read codes [Q, T] int32 written by `save_tokens`.

    Raises:
      UserError: no such file, no token file, or codes of another codec or shape.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            tokens, codec = arrays["tokens"], str(arrays["codec"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the .npz of the stem") from None
    except (ValueError, KeyError, OSError, EOFError):
        raise UserError(
            f"{path}: not a token file; give the .npz of the stem"
        ) from None
    if codec != codec_sha256:
        raise UserError(
            f"{path}: tokens of another codec ({codec[:12]}); give the model that generated"
            " them with --checkpoint, or the stem without --tokens"
        )
    if tokens.ndim != 2 or tokens.shape[0] != levels or not tokens.size:
        raise UserError(
            f"{path}: tokens are {tokens.shape}, not [{levels}, T]; give the .npz of the"
            " stem"
        )
    return tokens.astype(np.int32)

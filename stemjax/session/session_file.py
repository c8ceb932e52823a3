"""session.json: what was layered, from what, and how to make it again (format 1)."""

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
_PLAIN = re.compile(r"[\w-]+\.\w+")  # a file of the session's own folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """One stem of a session."""

    id: int
    """From 1, in the order of layering."""
    instrument: str
    seed: int
    settings: dict[str, Any]
    """Of the decoding, JSON values."""
    window: dict[str, float]
    """{"seconds", "overlap_seconds"} of the windows of longer contexts."""
    tokens: str
    """layer_NN.npz: what later layers and edits are made from."""
    stem: str
    """layer_NN.wav, as it is in the mix."""
    gain_db: float
    """Of the stem before the headroom of the mix."""
    kept_variation: int
    """From 1: which of the decoded ones this is."""
    scores: dict[str, list[float]]
    """What the variations were told apart by, one value each."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """What session.json holds beside its format."""

    checkpoint: dict[str, str]
    """{"name", "version", "sha256"}."""
    context: dict[str, Any]
    """{"file", "sha256", "rate"}; file is null for a session from silence."""
    seconds: float
    rate: int
    """Of the written tracks, Hz."""
    music: dict[str, Any]
    """{"bpm", "key", "beats_per_bar"}: as told or found; null where nothing was."""
    loop: bool
    mix: dict[str, Any]
    """{"file", "context", "gain"}: one gain of all tracks, so that the mix does not
    clip; "context" is the context's own track with it."""
    layers: tuple[Layer, ...]


def save(folder: pathlib.Path, session: Session) -> None:
    """Write session.json, whole or not at all."""
    content = {"format": FORMAT, **dataclasses.asdict(session)}
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    write_text(folder / FILE, text + "\n")


def read(folder: pathlib.Path) -> Session:
    """Read session.json of a folder.

    Raises:
      UserError: none there, another format, or one that names files elsewhere.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no session there; layer one first") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not readable ({error}); layer it again") from None
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise UserError(f"{path}: not a session of format {FORMAT}; layer it again")
    try:
        layers = tuple(Layer(**layer) for layer in content.pop("layers"))
        session = Session(**content, layers=layers)
        names = [name for layer in layers for name in (layer.tokens, layer.stem)]
        ids = [layer.id for layer in layers]
    except (TypeError, KeyError, AttributeError):
        raise UserError(f"{path}: fields are missing; layer it again") from None
    for name in names:
        if not isinstance(name, str) or not _PLAIN.fullmatch(name):
            raise UserError(f"{path}: {name!r} is no file of this folder")
    if ids != list(range(1, len(ids) + 1)):
        raise UserError(f"{path}: layers are numbered {ids}, not from 1 up")
    return session


def save_tokens(path: pathlib.Path, tokens: np.ndarray, codec_sha256: str) -> None:
    """Write codes [Q, T] and the codec that they are of."""
    with replacing(path) as part, open(part, "wb") as file:
        np.savez(file, tokens=tokens.astype(np.uint16), codec=np.array(codec_sha256))


def read_tokens(path: pathlib.Path, codec_sha256: str, levels: int) -> np.ndarray:
    """Codes [Q, T] int32 that `save_tokens` wrote.

    Raises:
      UserError: no such file, something else in it, or codes of another codec.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            tokens, codec = arrays["tokens"], str(arrays["codec"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the stem's .npz") from None
    except (ValueError, KeyError, OSError, EOFError):
        raise UserError(f"{path}: no tokens in it; give the stem's .npz") from None
    if codec != codec_sha256:
        raise UserError(
            f"{path}: tokens of another codec ({codec[:12]}); give the model that made"
            " them with --checkpoint, or the stem alone"
        )
    if tokens.ndim != 2 or tokens.shape[0] != levels or not tokens.size:
        raise UserError(f"{path}: tokens are {tokens.shape}, not [{levels}, T]")
    return tokens.astype(np.int32)

"""Release folders: `config.json` + `model.safetensors` + `README.md` (contracts.md)."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.remote import Path, absolute, as_path, is_remote, make_folder, stage
from stemjax.io.weights import load_safetensors, save_safetensors, sha256_of

FORMAT = 1
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
CARD = "README.md"
FILES = (CONFIG, WEIGHTS, CARD)
RUN = "run.json"  # what a training workdir has instead
ALIASES = {"bundled": "stemgen-mini"}
OWN_WEIGHTS = "STEMJAX_WEIGHTS"  # a folder of the user's own, e.g. encodec-32k/
PRETRAINED = pathlib.Path(__file__).resolve().parent.parent / "pretrained"


@dataclasses.dataclass(frozen=True)
class Release:
    """A folder that was read: its config, flat float32 weights and their digest."""

    folder: pathlib.Path
    config: dict[str, Any]
    weights: dict[str, np.ndarray]
    sha256: str


def own_weights() -> pathlib.Path:
    """The user's folder of weights: $STEMJAX_WEIGHTS, else ~/.local/share/stemjax."""
    default = pathlib.Path.home() / ".local" / "share" / "stemjax"
    return pathlib.Path(os.environ.get(OWN_WEIGHTS) or default)


def bundled_names() -> list[str]:
    """Names of the releases that ship with the package."""
    return sorted(p.parent.name for p in PRETRAINED.glob(f"*/{CONFIG}"))


def locate(name_or_dir: str | os.PathLike) -> Path:
    """Folder of a bundled name, of a name in `own_weights()`, or of a path.

    A release in a bucket is copied to this machine; a workdir is read where it lies.

    Raises:
      UserError: neither, with the bundled names.
    """
    name = str(name_or_dir)
    if is_remote(name):
        folder = as_path(name)
        if (folder / RUN).is_file():
            return folder
        if not (folder / CONFIG).is_file():
            raise UserError(f"{name}: neither a release folder nor a workdir")
        return stage(folder, FILES)
    for home in (PRETRAINED, own_weights()):
        folder = home / ALIASES.get(name, name)
        if "/" not in name and (folder / CONFIG).is_file():
            return folder
    if as_path(name).is_dir():
        return as_path(name)
    raise UserError(
        f"{name}: neither a folder nor a bundled name"
        f" ({', '.join(bundled_names()) or 'none is bundled'})"
    )


def read_config(folder: str | os.PathLike) -> dict[str, Any]:
    """The folder's config.json.

    Raises:
      UserError: missing or not JSON.
    """
    path = as_path(folder) / CONFIG
    if not path.is_file():
        raise UserError(f"{folder}: no {CONFIG}; give a release folder or a workdir")
    try:
        config = json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); copy it again") from None
    if not isinstance(config, dict):
        raise UserError(f"{path}: must hold one JSON object; copy it again")
    return config


def check_config(folder: Path, *, kind: str) -> dict[str, Any]:
    """The config.json of a release folder of one kind.

    Raises:
      UserError: none, unknown format, another kind.
    """
    config = read_config(folder)
    if config.get("format") != FORMAT:
        raise UserError(
            f"{folder / CONFIG}: format {config.get('format')!r} is not {FORMAT};"
            " use a stemjax version that knows it"
        )
    if config.get("kind") != kind:
        raise UserError(
            f"{folder}: holds a {config.get('kind')!r}, not a {kind!r}; give another"
        )
    return config


def read_release(folder: str | os.PathLike, *, kind: str) -> Release:
    """Read and check a release folder of one kind ("stemgen", "codec", ...).

    Raises:
      UserError: unknown format, another kind, missing or broken files.
    """
    folder = stage(folder, FILES)
    config = check_config(folder, kind=kind)
    path = folder / WEIGHTS
    weights = load_safetensors(path)
    return Release(folder, config, weights, sha256_of(path))


def write_release(
    folder: str | os.PathLike,
    config: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    card: str,
) -> None:
    """Write a release; the config comes last, so a cut-off write is no release."""
    folder = as_path(folder)
    make_folder(folder)
    (folder / CONFIG).unlink(missing_ok=True)
    save_safetensors(folder / WEIGHTS, weights)
    write_text(folder / CARD, card)
    text = json.dumps({"format": FORMAT, **config}, indent=2, sort_keys=True)
    write_text(folder / CONFIG, text + "\n")


def own_release(name_or_dir: str | os.PathLike, *, kind: str) -> Path:
    """The release folder of the user's own at a path: one that may be written to.

    Raises:
      UserError: a bundled name or its folder, a training workdir, or no release.
    """
    folder = as_path(name_or_dir)
    is_bundled = str(name_or_dir) in {*bundled_names(), *ALIASES}
    if is_bundled or absolute(folder).parent == PRETRAINED:
        raise UserError(
            f"{name_or_dir}: bundled, and not written to; copy its folder"
            f" {locate(folder.name)} and give the copy"
        )
    if not folder.is_dir():
        raise UserError(f"{name_or_dir}: no such folder; give a release folder")
    if not (folder / WEIGHTS).is_file():
        raise UserError(
            f"{folder}: no {WEIGHTS}, so no release folder; make one of a workdir with"
            f" `python train.py export --workdir {folder} --out DIR`"
        )
    config = read_config(folder)
    if (config.get("format"), config.get("kind")) != (FORMAT, kind):
        raise UserError(
            f"{folder / CONFIG}: no {kind} of format {FORMAT}; give another release"
        )
    return folder


def replace_decode(folder: str | os.PathLike, decode: Mapping[str, Any]) -> None:
    """Put other default settings into a release; its weights and card are not touched.

    decode: of a `DecodeConfig`, JSON values.

    Raises:
      UserError: see `own_release`.
    """
    folder = own_release(folder, kind="stemgen")
    config = read_config(folder) | {"decode": dict(decode)}
    text = json.dumps(config, indent=2, sort_keys=True)
    write_text(folder / CONFIG, text + "\n")

"""Release folders: `config.json`, `model.safetensors` and `README.md`."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from stemjax.config.releases import ReleaseConfig
from stemjax.io.atomic import write_text
from stemjax.io.cache import home_folder
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as, typed, write_json
from stemjax.io.remote import Path, as_path, is_remote, make_folder, stage
from stemjax.io.weights import load_safetensors, save_safetensors, sha256_of

FORMAT = 1
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
CARD = "README.md"
FILES = (CONFIG, WEIGHTS, CARD)
COPY_AGAIN = "copy it again"
RUN = "run.json"  # of a training workdir, instead of CONFIG
ALIASES = {"bundled": "stemgen-mini"}
OWN_WEIGHTS = "STEMJAX_WEIGHTS"  # variable that names a folder of other releases
PRETRAINED = pathlib.Path(__file__).resolve().parent.parent / "pretrained"


C = TypeVar("C", bound=ReleaseConfig)


@dataclasses.dataclass(frozen=True)
class Release(Generic[C]):
    """Contents of a release folder."""

    folder: Path
    """The folder on this machine; of a training workdir, the workdir."""
    config: C
    """config.json."""
    weights: dict[str, np.ndarray]
    """Float32 weights by their flat names."""
    sha256: str
    """Digest of the weights file."""


def own_weights() -> pathlib.Path:
    """Folder of the user's releases: $STEMJAX_WEIGHTS, else ~/.local/share/stemjax."""
    if named := os.environ.get(OWN_WEIGHTS):
        return pathlib.Path(named)
    return (home_folder() or pathlib.Path("/")) / ".local" / "share" / "stemjax"


def bundled_names() -> list[str]:
    """Names of the releases that ship with the package."""
    return sorted(p.parent.name for p in PRETRAINED.glob(f"*/{CONFIG}"))


def locate(name_or_dir: str | os.PathLike) -> Path:
    """Folder of a bundled name, of a name in `own_weights()`, or of a path.

    A release in a bucket is copied to this machine; a workdir in a bucket is not.

    Raises:
      UserError: no such name or folder; lists the bundled names.
    """
    name = str(name_or_dir)
    if is_remote(name):
        folder = as_path(name)
        if (folder / RUN).is_file():
            return folder
        if not (folder / CONFIG).is_file():
            raise UserError(f"{name}: not a release folder or workdir; give another")
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
    if not path.exists():
        raise UserError(f"{folder}: no {CONFIG}; give a release folder or a workdir")
    return read_as(dict[str, Any], path, mend=COPY_AGAIN)


def check_config(folder: Path, kind: type[C]) -> C:
    """The config.json of a release folder of one kind.

    Raises:
      UserError: no config.json, an unknown format, another kind, or a missing, unknown
        or mistyped field.
    """
    config = read_config(folder)
    if config.get("format") != FORMAT:
        raise UserError(
            f"{folder / CONFIG}: format {config.get('format')!r} is not {FORMAT};"
            " use a stemjax version that knows it"
        )
    if config.get("kind") != kind.KIND:
        raise UserError(
            f"{folder}: holds a {config.get('kind')!r}, not a {kind.KIND!r}; give another"
        )
    return typed(kind, config, folder / CONFIG, mend=COPY_AGAIN)


def read_release(folder: str | os.PathLike, kind: type[C]) -> Release[C]:
    """Read a release folder of one kind.

    The names and shapes of the weights are for the caller to check (`check_arrays`).

    Raises:
      UserError: as `check_config`, or missing or broken weights.
    """
    folder = stage(folder, FILES)
    config = check_config(folder, kind)
    path = folder / WEIGHTS
    weights = load_safetensors(path)
    return Release(folder, config, weights, sha256_of(path))


def write_release(
    folder: str | os.PathLike,
    config: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    card: str,
) -> None:
    """Write a release; the config comes last, so an interrupted write is not a release."""
    folder = as_path(folder)
    make_folder(folder)
    (folder / CONFIG).unlink(missing_ok=True)
    save_safetensors(folder / WEIGHTS, weights)
    write_text(folder / CARD, card)
    write_json(folder / CONFIG, {"format": FORMAT, **config})

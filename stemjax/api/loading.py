"""Where a model comes from: a bundled name, a release folder, a training workdir."""

import os

from stemjax.api.model import Model
from stemjax.codec.codec import Codec
from stemjax.codec.codec import load as load_codec
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.config.runs import from_json
from stemjax.io.errors import UserError
from stemjax.io.release import RUN, locate, read_release
from stemjax.io.weights import unflatten
from stemjax.train.export import restore_model


def load(name_or_dir: str | os.PathLike = "stemgen-mini", *, codec: str = "") -> Model:
    """Load a bundled model, a release folder, or a training workdir (its best step).

    Args:
      name_or_dir: "stemgen-mini", alias "bundled", or a folder.
      codec: a codec folder, where the checkpoint's own codec is not at hand.

    Raises:
      UserError: neither, another format, or a codec that does not belong to it.
    """
    folder = locate(name_or_dir)
    if (folder / RUN).is_file():
        config, flat, sha256 = restore_model(folder, kind="stemgen")
    else:
        release = read_release(folder, kind="stemgen")
        config, flat, sha256 = release.config, release.weights, release.sha256
    if list(config["categories"]) != list(CATEGORIES):
        raise UserError(f"{folder}: its category table is not this version's; retrain")
    model = from_json(StemGenConfig, config["model"])
    return Model(
        name=str(config.get("name", folder.name)),
        version=str(config["version"]),
        sha256=sha256,
        config=model,
        params=unflatten(flat),
        codec=_matching_codec(folder, config, model, codec),
        trained_frames=int(config["trained_frames"]),
        decode=from_json(DecodeConfig, config["decode"]),
    )


def _matching_codec(folder, config, model: StemGenConfig, override: str) -> Codec:
    """The codec that the checkpoint was trained with, told by its digest."""
    wanted = config["codec"]
    if not wanted["sha256"]:
        raise UserError(
            f"{folder}: speaks tokens of {wanted['name']!r}, no codec of stemjax: decode"
            " with stemjax.decode and that codec"
        )
    beside = folder / wanted["name"]  # a codec nobody else has
    loaded = load_codec(override or (beside if beside.is_dir() else wanted["name"]))
    if loaded.sha256 != wanted["sha256"] or (
        (loaded.config.num_codebooks, loaded.config.codebook_size)
        != (model.num_codebooks, model.codebook_size)
    ):
        raise UserError(
            f"{folder}: its codec is {wanted['name']!r} ({wanted['sha256'][:12]}),"
            f" not {loaded.name!r} ({loaded.sha256[:12]}); give its own with --codec"
        )
    return loaded

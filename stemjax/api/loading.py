"""Load a model by bundled name, release folder or training workdir."""

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


def load(name_or_dir: str | os.PathLike = "stemgen-mini", *, codec: str = "") -> Model:
    """Load a StemGen model.

    Args:
      name_or_dir: a bundled name ("stemgen-mini", alias "bundled"), a release folder, or
        a training workdir, whose best checkpoint is loaded.
      codec: a codec folder; needed if the codec of the checkpoint is neither bundled nor
        stored beside it.

    Raises:
      UserError: no such model, an unknown format, or a codec that does not match.
    """
    folder = locate(name_or_dir)
    if (folder / RUN).is_file():
        from stemjax.train.export import restore_model  # orbax takes 0.4 s to import

        config, flat, sha256 = restore_model(folder, kind="stemgen")
    else:
        release = read_release(folder, kind="stemgen")
        config, flat, sha256 = release.config, release.weights, release.sha256
    if list(config["categories"]) != list(CATEGORIES):
        raise UserError(
            f"{folder}: its category table is not that of this version; retrain"
        )
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
        keeps_prefix=config.get("keeps_prefix", False),
    )


def _matching_codec(folder, config, model: StemGenConfig, override: str) -> Codec:
    """Load the codec that the model was trained with; its sha256 must match."""
    expected = config["codec"]
    if not expected["sha256"]:
        raise UserError(
            f"{folder}: trained on tokens of {expected['name']!r}, which is no stemjax"
            " codec; decode with stemjax.decode and that codec"
        )
    beside = folder / expected["name"]
    loaded = load_codec(override or (beside if beside.is_dir() else expected["name"]))
    if loaded.sha256 != expected["sha256"] or (
        (loaded.config.num_codebooks, loaded.config.codebook_size)
        != (model.num_codebooks, model.codebook_size)
    ):
        raise UserError(
            f"{folder}: its codec is {expected['name']!r} ({expected['sha256'][:12]}),"
            f" not {loaded.name!r} ({loaded.sha256[:12]}); give that codec with --codec"
        )
    return loaded

"""Load a model by bundled name, release folder or training workdir."""

import os

from stemjax.api.model import Model
from stemjax.codec.codec import Codec
from stemjax.codec.codec import load as load_codec
from stemjax.config.categories import CATEGORIES
from stemjax.config.codec import CodecIdentity, is_same_codec
from stemjax.config.releases import StemGenRelease
from stemjax.io.errors import UserError
from stemjax.io.release import RUN, locate, read_release
from stemjax.io.remote import Path
from stemjax.models.weights import params_of


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

        release = restore_model(folder, StemGenRelease)
    else:
        release = read_release(folder, StemGenRelease)
    config = release.config
    if config.categories != CATEGORIES:
        raise UserError(
            f"{folder}: its category table is not that of this version; retrain"
        )
    return Model(
        name=config.name or folder.name,
        version=str(config.version),
        sha256=release.sha256,
        config=config.model,
        params=params_of(release.weights, config.model, folder),
        codec=_matching_codec(folder, config, codec),
        trained_frames=config.trained_frames,
        decode=config.decode,
        keeps_prefix=config.keeps_prefix,
    )


def _matching_codec(folder: Path, config: StemGenRelease, override: str) -> Codec:
    """Load the codec that the model was trained with; its digests must match."""
    expected, model = config.codec, config.model
    if not expected.sha256:
        raise UserError(
            f"{folder}: trained on tokens of {expected.name!r}, which is no stemjax"
            " codec; decode with stemjax.decode and that codec"
        )
    beside = folder / expected.name
    loaded = load_codec(override or (beside if beside.is_dir() else expected.name))
    if not is_same_codec(loaded, expected) or (
        (loaded.config.num_codebooks, loaded.config.codebook_size)
        != (model.num_codebooks, model.codebook_size)
    ):
        raise UserError(
            f"{folder}: its codec is {expected.name!r} ({_digests(expected)}), not"
            f" {loaded.name!r} ({_digests(loaded)}); give that codec with --codec"
        )
    return loaded


def _digests(codec: CodecIdentity) -> str:
    return f"{codec.sha256[:12]}, config {codec.config_sha256[:12] or 'unknown'}"

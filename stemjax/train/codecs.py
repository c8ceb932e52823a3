"""Codec of a StemGen run: of its token store, of `--codec`, or a random one."""

from typing import Protocol

from stemjax import codec
from stemjax.codec.codec import Codec
from stemjax.config.codec import CodecConfig, is_same_codec
from stemjax.config.presets import CODEC_TINY
from stemjax.config.runs import StemGenRun
from stemjax.io.errors import UserError
from stemjax.io.release import CONFIG, locate
from stemjax.io.remote import absolute, as_path
from stemjax.train.layout import OWN_CODEC
from stemjax.train.processes import is_writer, wait_for_all

SEED = 0  # of the random codec


class TokenCodec(Protocol):
    """Codec that made the tokens of a store, as the store's manifest describes it."""

    name: str
    """Name of the codec."""
    sha256: str
    """Digest of its weights; "" for a codec that is not one of stemjax."""
    config_sha256: str
    """Digest of its config; "" if it is not known."""
    sample_rate: int
    """Samples per second."""
    hop: int
    """Samples per frame."""
    num_codebooks: int
    """Levels Q."""
    codebook_size: int
    """Codes per level V."""


def codec_of_tokens(
    run: StemGenRun, token_codec: TokenCodec
) -> tuple[Codec | None, CodecConfig]:
    """The codec that made a token store, loaded from `run.codec` or by its name.

    Returns:
      The codec and its config.  The codec is None if it is not one of stemjax: then the
      store alone gives the model's shape, and nothing can be decoded.

    Raises:
      UserError: the codec is not found, `run.codec` is another one, or the run needs the
        codebooks of a codec that is not one of stemjax.
    """
    name, sha256 = token_codec.name, token_codec.sha256
    if not sha256:
        return None, _foreign_config(run, token_codec)
    if run.codec is None:
        try:
            locate(name)
        except UserError:
            raise UserError(
                f"{run.data}: tokens of codec {name!r}, which is not bundled;"
                " give --codec DIR"
            ) from None
    loaded = codec.load(run.codec or name)
    if not is_same_codec(loaded, token_codec):
        raise UserError(
            f"{run.data}: tokens of codec {name!r} ({sha256[:12]}), not of"
            f" {loaded.name!r} ({loaded.sha256[:12]}); give the codec of the tokens as"
            " --codec"
        )
    return loaded, loaded.config


def _foreign_config(run: StemGenRun, token_codec: TokenCodec) -> CodecConfig:
    """Config with the rate, hop, levels and codes of a codec that is not of stemjax."""
    tokens = f"{run.data}: tokens of {token_codec.name!r}, which is not a stemjax codec"
    if run.codec is not None:
        raise UserError(f"{tokens}; leave out --codec")
    if run.objective.codebook_init and run.init_from is None:
        raise UserError(
            f"{tokens} and gives no codebooks to start from; give"
            " --objective.no-codebook-init"
        )
    return CodecConfig(
        sample_rate=token_codec.sample_rate,
        upsampling_ratios=(token_codec.hop,),
        num_codebooks=token_codec.num_codebooks,
        codebook_size=token_codec.codebook_size,
    )


def random_codec(workdir: str | None) -> Codec:
    """A seeded random `codec-tiny`, saved in the workdir, if there is one."""
    if workdir is None:
        return codec.random(CODEC_TINY.model, SEED)
    folder = as_path(workdir) / OWN_CODEC
    if not (folder / CONFIG).is_file() and is_writer():
        codec.random(CODEC_TINY.model, SEED).save(folder)
    wait_for_all("made the codec")
    return codec.load(folder)


def about_codec(run: StemGenRun, used: Codec | TokenCodec) -> dict[str, str]:
    """Record of the codec in run.json: folder, or bundled name, and digest."""
    if run.codec is None:
        name = used.name
    else:
        is_folder = as_path(run.codec).is_dir()
        name = str(absolute(run.codec)) if is_folder else run.codec
    return {"name": name, "sha256": used.sha256, "config_sha256": used.config_sha256}

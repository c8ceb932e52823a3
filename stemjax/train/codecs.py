"""Which codec a StemGen run listens with (contracts.md, train.py)."""

from typing import Protocol

from stemjax import codec
from stemjax.codec.codec import Codec
from stemjax.config.codec import CodecConfig
from stemjax.config.presets import CODEC_TINY
from stemjax.config.runs import StemGenRun
from stemjax.io.errors import UserError
from stemjax.io.release import locate
from stemjax.io.remote import absolute, as_path
from stemjax.train.export import OWN_CODEC
from stemjax.train.processes import is_writer, wait_for_all

SEED = 0  # of the random codec of tiny runs


class MadeWith(Protocol):
    """What a token store says of the codec that made it.

    sha256: of its weights; "" for a codec that is not one of stemjax.
    """

    name: str
    sha256: str
    sample_rate: int
    hop: int
    num_codebooks: int
    codebook_size: int


def codec_of_tokens(
    run: StemGenRun, made_with: MadeWith
) -> tuple[Codec | None, CodecConfig]:
    """The codec that a token store was made with: `run.codec`, else by its name.

    None for a codec that is not one of stemjax: the model is shaped by what the store
    says and nothing can be decoded here.

    Raises:
      UserError: it is not at hand, or `run.codec` is another one; or the run wants what
        only a codec of stemjax gives.
    """
    if not made_with.sha256:
        return None, _config_of_foreign(run, made_with)
    name, sha256 = made_with.name, made_with.sha256
    if not run.codec:
        try:
            locate(name)
        except UserError:
            raise UserError(
                f"{run.data}: tokens of codec {name!r}, which is not bundled;"
                " give --codec DIR"
            ) from None
    loaded = codec.load(run.codec or name)
    if loaded.sha256 != sha256:
        raise UserError(
            f"{run.data}: tokens of codec {name!r} ({sha256[:12]}), not of"
            f" {loaded.name!r} ({loaded.sha256[:12]}); give its own --codec"
        )
    return loaded, loaded.config


def _config_of_foreign(run: StemGenRun, made_with: MadeWith) -> CodecConfig:
    """Rate, hop, Q and V of another codec; the layers it tells of do not exist."""
    whose = f"{run.data}: tokens of {made_with.name!r}, no codec of stemjax"
    if run.codec:
        raise UserError(f"{whose}; leave out --codec")
    if run.objective.codebook_init and not run.init_from:
        raise UserError(
            f"{whose}, has no codebooks to start from; give"
            " --objective.no-codebook-init"
        )
    return CodecConfig(
        sample_rate=made_with.sample_rate,
        upsampling_ratios=(made_with.hop,),
        num_codebooks=made_with.num_codebooks,
        codebook_size=made_with.codebook_size,
    )


def codec_of_audio(run: StemGenRun, *, is_tiny: bool) -> Codec | None:
    """`run.codec`; for a tiny run without one, a seeded random codec.

    The random codec is kept in the workdir: nobody else has it.  None: a dry run that
    names no codec.

    Raises:
      UserError: no such codec, or none was named.
    """
    if run.codec:
        return codec.load(run.codec)
    if not is_tiny:
        if run.dry_run:
            return None
        raise UserError("give --codec NAME|DIR, e.g. --codec codec-mini")
    if run.dry_run:
        return codec.random(CODEC_TINY.model, SEED)
    own = as_path(run.workdir) / OWN_CODEC
    if not own.is_dir() and is_writer():
        codec.random(CODEC_TINY.model, SEED).save(own)
    wait_for_all("made the codec")
    return codec.load(own)


def about_codec(run: StemGenRun, loaded: Codec | MadeWith) -> dict[str, str]:
    """How to find it again: its folder, else its bundled name; and its digest."""
    is_folder = bool(run.codec) and as_path(run.codec).is_dir()
    name = str(absolute(run.codec)) if is_folder else run.codec
    return {"name": name or loaded.name, "sha256": loaded.sha256}

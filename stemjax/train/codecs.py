"""Which codec a StemGen run listens with (contracts.md, train.py)."""

import pathlib

from stemjax import codec
from stemjax.codec.codec import Codec
from stemjax.config.presets import CODEC_TINY
from stemjax.config.runs import StemGenRun
from stemjax.io.errors import UserError
from stemjax.io.release import locate
from stemjax.train.export import OWN_CODEC

SEED = 0  # of the random codec of tiny runs


def codec_of_tokens(run: StemGenRun, name: str, sha256: str) -> Codec:
    """The codec that a token store was made with: `run.codec`, else by its name.

    Raises:
      UserError: it is not at hand, or `run.codec` is another one.
    """
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
    return loaded


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
    own = pathlib.Path(run.workdir) / OWN_CODEC
    if not own.is_dir():
        codec.random(CODEC_TINY.model, SEED).save(own)
    return codec.load(own)


def about_codec(run: StemGenRun, loaded: Codec) -> dict[str, str]:
    """How to find it again: its folder, else its bundled name; and its digest."""
    is_folder = bool(run.codec) and pathlib.Path(run.codec).is_dir()
    name = str(pathlib.Path(run.codec).resolve()) if is_folder else run.codec
    return {"name": name or loaded.name, "sha256": loaded.sha256}

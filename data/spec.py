"""Data sets that `--data` names: prepared folders or token stores, with weights.

A URL (gs://...) is copied to this machine first.
"""

from pathlib import Path
from typing import Any, NamedTuple

from stemjax.config.codec import CodecIdentity, is_same_codec
from stemjax.config.numbers import Positive, check_number
from stemjax.data.drawing.mixture import Mixture
from stemjax.data.prepared.manifest import KIND as PREPARED
from stemjax.data.prepared.manifest import MANIFEST
from stemjax.data.prepared.records import open_prepared
from stemjax.data.prepared.staging import staged
from stemjax.data.tokens.format import KIND as TOKENS
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as
from stemjax.io.remote import is_remote


class OpenedData(NamedTuple):
    """Open data sets, all of one kind."""

    is_tokens: bool
    """Whether they are token stores."""
    data: Any
    """One source, or a `Mixture`."""

    @property
    def sources(self) -> tuple[Any, ...]:
        """The sources, without weights."""
        is_mixture = isinstance(self.data, Mixture)
        return self.data.sources if is_mixture else (self.data,)

    def check_codec(self, spec: str, wanted: CodecIdentity) -> None:
        """Check that token stores were made with a codec; audio passes.

        Args:
          spec: the value of `--data`, for the message.
          wanted: the codec, with a `name`.

        Raises:
          UserError: a store of another codec.
        """
        for source in self.sources if self.is_tokens else ():
            codec = source.codec
            if not is_same_codec(codec, wanted):
                raise UserError(
                    f"{spec}: tokens of codec {codec.name!r}, not of {wanted.name!r};"
                    " fill a store with that one"
                )

    def has(self, split: str) -> bool:
        """Whether any source has a song in a split."""
        return any(len(source.index(split).songs) for source in self.sources)


def open_data(spec: str) -> OpenedData:
    """Open "FOLDER" or "FOLDER=WEIGHT,FOLDER=WEIGHT,..."; the default weight is 1.

    A folder that exists is taken for one, even if its name holds "=" or ",".

    Raises:
      UserError: a folder of another kind, kinds that differ, an invalid weight.
    """
    parts = [spec] if _is_folder(spec) else spec.split(",")
    places, weights = zip(*map(_folder_and_weight, parts), strict=True)
    folders = [staged(place) for place in places]
    kinds = {folder: _kind(folder) for folder in folders}
    if len(set(kinds.values())) > 1:
        raise UserError(f"{spec}: prepared folders and token stores cannot be mixed")
    is_tokens = TOKENS in kinds.values()
    if is_tokens:
        from stemjax.data.tokens.store import open_tokens

        sources = tuple(open_tokens(folder) for folder in folders)
    else:
        sources = tuple(open_prepared(folder) for folder in folders)
    if len(sources) == 1:
        return OpenedData(is_tokens, sources[0])
    return OpenedData(is_tokens, Mixture(sources, weights))


def open_audio(spec: str) -> Any:
    """Open exactly one prepared folder.

    Raises:
      UserError: several folders, a token store, or as `open_data`.
    """
    opened = open_data(spec)
    if opened.is_tokens or len(opened.sources) > 1:
        raise UserError(f"{spec}: give one prepared folder; tokens hold no audio")
    return opened.sources[0]


def _folder_and_weight(part: str) -> tuple[str, float]:
    folder, sign, weight = part.strip().rpartition("=")
    if not sign or _is_folder(part.strip()):
        return part.strip(), 1.0
    try:
        number = float(weight or 1)
        check_number(Positive, number, "weight")
    except ValueError:
        raise UserError(
            f"{part}: the weight {weight!r} is not a number above 0, and there is no"
            " such folder"
        ) from None
    return folder, number


def _is_folder(place: str) -> bool:
    """Whether a place is a folder of this machine, whatever its name holds."""
    return not is_remote(place) and Path(place).is_dir()


def _kind(folder: Path) -> str:
    """The manifest's `kind`: "prepared" or "tokens"."""
    path = folder / MANIFEST
    if not path.exists():
        raise UserError(
            f"{folder}: no {MANIFEST}; give a folder that `stemjax prepare` or"
            " `stemjax tokens` wrote"
        )
    kind = read_as(dict[str, Any], path, mend="make the folder again").get("kind")
    if kind not in (PREPARED, TOKENS):
        raise UserError(f"{path}: not a manifest; make the folder again")
    return kind

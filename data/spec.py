"""What `--data` names: a prepared folder, a token store, or several with weights.

Each may be a URL (gs://...): it is copied to this machine first.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from stemjax.data.drawing.mixture import Mixture
from stemjax.data.prepared.manifest import MANIFEST
from stemjax.data.prepared.records import open_prepared
from stemjax.data.prepared.staging import staged
from stemjax.io.errors import UserError


class Opened(NamedTuple):
    """Data sets that were opened, all of one kind."""

    is_tokens: bool
    data: Any  # one source, or a `Mixture`

    @property
    def sources(self) -> tuple[Any, ...]:
        """The single sources."""
        is_mixture = isinstance(self.data, Mixture)
        return self.data.sources if is_mixture else (self.data,)

    def check_codec(self, spec: str, name: str, sha256: str) -> None:
        """That tokens, if these are tokens, are those of a codec.

        spec: what the user calls the data.

        Raises:
          UserError: a store of another codec.
        """
        for source in self.sources if self.is_tokens else ():
            own = source.codec
            if own.sha256 != sha256:
                raise UserError(
                    f"{spec}: tokens of codec {own.name!r}, not of {name!r}; fill a"
                    " store with that one"
                )

    def has(self, split: str) -> bool:
        """Whether any source has a song in a split."""
        return any(len(source.index(split).songs) for source in self.sources)


def open_data(spec: str) -> Opened:
    """Open "FOLDER" or "FOLDER=WEIGHT,FOLDER=WEIGHT,..."; a weight left out is 1.

    Raises:
      UserError: a folder that is neither, kinds that differ, a weight that is no number.
    """
    places, weights = zip(*map(_folder_and_weight, spec.split(",")), strict=True)
    folders = [staged(place) for place in places]
    kinds = {folder: _kind(folder) for folder in folders}
    if len(set(kinds.values())) > 1:
        raise UserError(f"{spec}: prepared folders and token stores cannot be mixed")
    is_tokens = "tokens" in kinds.values()
    if is_tokens:
        from stemjax.data.tokens.store import open_tokens

        sources = tuple(open_tokens(folder) for folder in folders)
    else:
        sources = tuple(open_prepared(folder) for folder in folders)
    if len(sources) == 1:
        return Opened(is_tokens, sources[0])
    return Opened(is_tokens, Mixture(sources, weights))


def open_audio(spec: str) -> Any:
    """The one prepared folder that `spec` names.

    Raises:
      UserError: several, or a token store, or as `open_data`.
    """
    opened = open_data(spec)
    if opened.is_tokens or len(opened.sources) > 1:
        raise UserError(f"{spec}: give one prepared folder; tokens hold no audio")
    return opened.sources[0]


def _folder_and_weight(part: str) -> tuple[str, float]:
    folder, _, weight = part.strip().partition("=")
    try:
        return folder, float(weight or 1)
    except ValueError:
        raise UserError(f"{part}: the weight {weight!r} is not a number") from None


def _kind(folder: Path) -> str:
    """ "prepared" or "tokens", by the manifest."""
    path = folder / MANIFEST
    try:
        return json.loads(path.read_text(encoding="utf-8"))["kind"]
    except FileNotFoundError:
        raise UserError(
            f"{folder}: no {MANIFEST}; give a folder that `python -m data.prepare` or"
            " `python train.py tokens` wrote"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: not a manifest; make the folder again") from None

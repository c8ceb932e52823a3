"""Contents of `config.json` in a release folder, by kind of release."""

import dataclasses
from typing import Any, ClassVar

from stemjax.config.codec import AnyCodecConfig
from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.config.numbers import CheckedNumbers, Frames


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecReference:
    """The codec of a model."""

    name: str
    """Bundled name, or folder, absolute or within the release."""
    sha256: str
    """Digest of its weights; "" for a codec that is not one of stemjax."""
    config_sha256: str = ""
    """Digest of its config; "" if it was not recorded."""

    def __post_init__(self):
        if not self.name:
            raise ValueError("name is empty")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReleaseConfig(CheckedNumbers):
    """Fields that every release has."""

    KIND: ClassVar[str]
    """Value of `kind` of the releases of a class."""

    format: int
    """Format of the folder."""
    kind: str
    """Kind of release."""
    version: str | int
    """Version of the weights."""
    name: str = ""
    """Name of the release; "": that of its folder."""
    steps: int = 0
    """Training steps."""
    licence: str = ""
    """Licence of the weights."""
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    """Validation metrics by name."""
    run: str = ""
    """Id of the training run."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StemGenRelease(ReleaseConfig):
    """Release of a StemGen model."""

    KIND = "stemgen"

    model: StemGenConfig
    """Architecture."""
    trained_frames: Frames
    """Length of the training crops, frames."""
    categories: tuple[str, ...]
    """Table of categories."""
    codec: CodecReference
    """Codec of the tokens."""
    decode: DecodeConfig
    """Default decoding settings."""
    keeps_prefix: bool = False
    """Trained with prefixes that are seen on every level (Assumption A3)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecRelease(ReleaseConfig):
    """Release of an audio codec."""

    KIND = "codec"

    model: AnyCodecConfig
    """Architecture."""
    imported: dict[str, Any] = dataclasses.field(default_factory=dict)
    """{"sha256"}: digest of imported weights."""

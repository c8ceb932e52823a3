"""Settings of train.py and of the commands tokens, export, import-codec and runs."""

import dataclasses
import enum
from typing import Annotated, Generic, TypeVar

import tyro

from stemjax.config.numbers import Count, CropSeconds, NonNegative, Seed
from stemjax.config.runs import CommonRun, Invocation
from stemjax.io.process.places import OutPlace

SomeRun = TypeVar("SomeRun", bound=CommonRun)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainCommand(Generic[SomeRun]):
    """Train a model."""

    run: Annotated[SomeRun, tyro.conf.arg(name="")]
    invocation: Annotated[Invocation, tyro.conf.arg(name="")] = Invocation()


class WeightType(enum.Enum):
    """Number format of released weights."""

    FLOAT32 = "f32"
    BFLOAT16 = "bf16"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokensCommand:
    """Fill a token store: encode random submixes of every segment once.

    The same command again continues where it stopped.
    """

    data: str
    """Prepared folder, local or gs://..."""
    codec: str
    """Bundled name, release folder or workdir of the codec."""
    draws: Count
    """Random submixes per segment."""
    crop_seconds: CropSeconds = 20.0
    """Length in seconds of the crops to train on; decides only which stems are silent."""
    out: OutPlace
    """Token store to write."""
    seed: Seed = 0
    """Seed of the submixes."""
    batch_size: Count = 4
    """Segments that are encoded together, rounded up to the number of devices."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportCommand:
    """Write a release folder from the best step of a workdir."""

    workdir: str
    """Workdir of a run, local or gs://..."""
    out: OutPlace
    """Release folder to write."""
    dtype: WeightType = WeightType.FLOAT32
    """Number format of the weights; codes of a codec are always f32."""
    name: str | None = None
    """Name of the release, by default that of the folder."""
    version: str | None = None
    """Version of the release, by default that of stemjax."""
    card: str | None = None
    """Markdown file to use as README.md; by default a short card is written."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportCodecCommand:
    """Convert a published EnCodec into a release folder of stemjax."""

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")]
    """Folder with config.json and model.safetensors."""
    out: Annotated[tyro.conf.Positional[OutPlace], tyro.conf.arg(metavar="OUT")]
    """Release folder to write."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunsCommand:
    """Print the runs below a folder: settings that differ, best metric, status."""

    folder: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DIR")]
    """Folder with workdirs at any depth, local or gs://..."""
    sort: str = "best"
    """Column to sort by: best, path, state, step, loss, seen, ..., or a setting that
    differs."""
    stale: NonNegative = 600.0
    """Seconds without a heartbeat after which a run has died."""
    json: bool = False
    """Print JSON instead of a table."""

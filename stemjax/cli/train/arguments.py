"""Settings of the commands tokens, export, import-codec and runs."""

import dataclasses
import enum

import tyro


class Dtype(enum.Enum):
    FLOAT32 = "f32"
    BFLOAT16 = "bf16"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tokens:
    """Fill a token store: encode random submixes of every segment once."""

    data: str
    """Prepared folder."""
    codec: str
    """Bundled name or folder."""
    draws: int
    """Random submixes per segment."""
    crop_seconds: float = 20.0
    """Length of the crops to come; decides only which stems count as silent."""
    out: str
    """Token store to write; the same command goes on where it stopped."""
    seed: int = 0
    batch_size: int = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """Write a release folder from a workdir's best step."""

    workdir: str
    out: str
    dtype: Dtype = Dtype.FLOAT32
    name: str = ""
    version: str = ""
    card: str = ""
    """Markdown file to ship as README.md."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportCodec:
    """Turn a published EnCodec folder (config.json + model.safetensors) into ours."""

    source: tyro.conf.Positional[str]
    out: tyro.conf.Positional[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runs:
    """Gather the runs below a folder: what differs, best metric, state, which died."""

    folder: tyro.conf.Positional[str]
    """Workdirs at any depth."""
    sort: str = "best"
    """Or path, state, step, loss, seen, ... or a field that differs."""
    stale: float = 600.0
    """Seconds without a sign of life after which a run has died."""
    json: bool = False
    """Print JSON instead of a table."""

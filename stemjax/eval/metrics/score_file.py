"""Reports of `score` read from JSON files: the types of their fields."""

import dataclasses
import os
import pathlib
from typing import Any

from stemjax.eval.metrics.score import FORMAT
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as, typed

METRICS_FILE = "metrics.json"
MEND = "run `stemjax evaluate score` first"


@dataclasses.dataclass(frozen=True)
class NullBand:
    """Values of equal populations."""

    median: float
    p95: float


@dataclasses.dataclass(frozen=True)
class DescriptorDivergences:
    """Divergences of one descriptor of MIRDD, in nats."""

    kl: float
    reverse: float
    js: float
    symmetric: float | None = None


@dataclasses.dataclass(frozen=True)
class ValueRecord:
    """A value with its standard error, or the reason why there is none."""

    value: float | None = None
    se: float | None = None
    corrected: float | None = None
    """Without the jackknife's estimate of the bias."""
    groups: tuple[float | None, ...] = ()
    """Values without one group each."""
    sizes: tuple[int, ...] = ()
    """Examples in each group."""
    status: str = "ok"
    reason: str = ""

    def __post_init__(self):
        if self.value is None:
            return
        if self.sizes and len(self.sizes) != len(self.groups):
            raise ValueError(f"{len(self.groups)} groups, {len(self.sizes)} sizes")


@dataclasses.dataclass(frozen=True)
class MetricRecord(ValueRecord):
    """Entry of a metric; fields that only one metric has are None in the others."""

    id: str = ""
    """Name of the metric with its settings: only values with equal names compare."""
    patches: int | None = None
    real_trace: float | None = None
    relative: float | None = None
    kad: float | None = None
    infinity: dict[str, float | None] | None = None
    reverse: float | None = None
    symmetric: float | None = None
    js: float | None = None
    by_descriptor: dict[str, DescriptorDivergences] | None = None
    null: NullBand | None = None
    adjusted: float | None = None
    fd: dict[str, float | None] | None = None
    unclipped: ValueRecord | None = None
    remoteness: float | None = None
    real: ValueRecord | None = None
    ratio: ValueRecord | None = None
    shuffled: float | None = None
    counted: int | None = None
    ignored: int | None = None
    n: int | None = None
    by_seed: tuple[float, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        if not self.id:
            raise ValueError("id is missing")
        if self.value is None and not self.reason:
            raise ValueError("a metric without a value needs a reason")


@dataclasses.dataclass(frozen=True)
class SilentCounts:
    """Silent examples; means over decoding seeds in a row of a table."""

    generated: float
    real: float
    dropped: float


@dataclasses.dataclass(frozen=True)
class ScoreRecord:
    """The fields of a score that every report reads."""

    n: int
    ids: str
    """Digest of the examples."""
    references: str
    """Digest of the real stems."""
    seed: int
    silent: SilentCounts
    headline: bool
    metrics: dict[str, MetricRecord]
    imported: dict[str, MetricRecord] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.n < 1:
            raise ValueError(f"n must be 1 or more, got {self.n}")


def read_score(path: str | os.PathLike) -> dict[str, Any]:
    """Read a score from a JSON file, or from metrics.json of a folder.

    Raises:
      UserError: no such file, not a score of this version, or a missing or mistyped
        field; names it.
    """
    file = pathlib.Path(path)
    file = file / METRICS_FILE if file.is_dir() else file
    score = read_as(dict[str, Any], file, mend=MEND)
    if score.get("format") != FORMAT or "metrics" not in score:
        raise UserError(f"{file}: not a score of this version; {MEND}")
    known = {field.name for field in dataclasses.fields(ScoreRecord)}
    fields = {name: value for name, value in score.items() if name in known}
    typed(ScoreRecord, fields, file, mend=MEND)
    return score

"""Sweeps of training runs: named grids of settings, one run per job of an array.

The runs of a sweep are overrides of a preset's fields, so one sweep serves every preset
of its kind: `train.py PRESET --sweep NAME --index I`.
"""

import dataclasses
import itertools
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from stemjax.config.plain_values import FieldError, from_json
from stemjax.config.runs import CodecRun, CommonRun, Invocation, Run, StemGenRun

Overrides = tuple[tuple[str, Any], ...]
"""(dotted field, value) pairs of one run, e.g. (("optim.peak_lr", 1e-3), ("seed", 1))."""

NOT_SWEPT = frozenset(field.name for field in dataclasses.fields(Invocation))
CODEC_FIELDS = ("num_codebooks", "codebook_size", "frame_rate")
"""Fields of a StemGen model that a run takes from its codec."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSweep:
    """A named grid of runs."""

    name: str
    about: str
    """The question that the sweep answers, in one line."""
    kind: type[CommonRun] = CommonRun
    """Kind of run that the sweep is for; `CommonRun` is every preset."""
    runs: tuple[Overrides, ...]
    """Overrides of each run, in the order of their numbers."""


def axis(field: str, *values: Any) -> tuple[Overrides, ...]:
    """One run per value of a field."""
    return tuple(((field, value),) for value in values)


def together(fields: Sequence[str], *rows: Sequence[Any]) -> tuple[Overrides, ...]:
    """One run per row; the fields of a row change together.

    Raises:
      ValueError: a row of another length.
    """
    return tuple(tuple(zip(fields, row, strict=True)) for row in rows)


def product(*axes: tuple[Overrides, ...]) -> tuple[Overrides, ...]:
    """Every combination of the axes' runs; the last axis changes fastest.

    Raises:
      ValueError: a field that two axes set.
    """
    runs = []
    for parts in itertools.product(*axes):
        run = tuple(itertools.chain(*parts))
        fields = [field for field, _ in run]
        for field in fields:
            if fields.count(field) > 1:
                raise ValueError(f"two axes set {field!r}")
        runs.append(run)
    return tuple(runs)


def apply(run: Run, sweep: TrainSweep, index: int) -> Run:
    """`run` with the settings of the sweep's run `index`, counted from 0.

    Raises:
      ValueError: a sweep for another kind of preset, no such run, or a field or value
        that the preset does not take; names it.
    """
    if not isinstance(run, sweep.kind):
        raise ValueError(
            f"sweep {sweep.name!r} is for {_KINDS[sweep.kind]}, not for this preset"
        )
    if not 0 <= index < len(sweep.runs):
        raise ValueError(
            f"sweep {sweep.name!r} has runs 0..{len(sweep.runs) - 1}, not {index}"
        )
    return changed(run, sweep.runs[index])


def changed(run: Run, overrides: Overrides) -> Run:
    """`run` with some fields at any depth replaced, all at once.

    Raises:
      ValueError: a field that is unknown or that a sweep cannot set, or a bad value.
    """
    changes = dict(overrides)
    for field in changes:
        if field in NOT_SWEPT:
            raise ValueError(f"{field}: a sweep cannot set it; give it as a flag")
        top, _, name = field.partition(".")
        if isinstance(run, StemGenRun) and top == "model" and name in CODEC_FIELDS:
            raise ValueError(f"{field}: the codec decides it; sweep over codec")
    run = _replaced(run, changes, "")
    shapes = [field for field in changes if field.split(".")[0] == "model"]
    if run.init_from and shapes:
        raise ValueError(f"{shapes[0]}: the weights of init_from decide the model")
    return run


def _replaced(value: Any, changes: Mapping[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(type(value))
    fields: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for field, new in changes.items():
        head, _, rest = field.partition(".")
        if head not in hints:
            raise ValueError(
                f"{prefix}{head}: no such field; one of"
                f" {', '.join(prefix + name for name in hints)}"
            )
        if not rest:
            try:
                fields[head] = from_json(hints[head], new)
            except FieldError as error:
                raise error.inside(prefix + head) from None
        elif dataclasses.is_dataclass(hints[head]):
            nested.setdefault(head, {})[rest] = new
        else:
            raise ValueError(f"{prefix}{field}: {prefix}{head} has no fields")
    for head, parts in nested.items():
        base = fields.get(head, getattr(value, head))
        fields[head] = _replaced(base, parts, f"{prefix}{head}.")
    try:
        return dataclasses.replace(value, **fields)
    except ValueError as error:  # raised by the dataclass's check
        raise ValueError(f"{', '.join(prefix + f for f in fields)}: {error}") from None


_KINDS = {StemGenRun: "stemgen presets", CodecRun: "codec presets"}

SEEDS = (0, 1, 2, 3, 4)
# like the paper's model and LLaMA: heads of 64 units, 8/3 of the width hidden
SHAPE = ("width", "layers", "heads", "mlp_hidden")
SHAPES = (
    (128, 4, 2, 344),
    (192, 6, 3, 512),
    (256, 8, 4, 688),
    (384, 12, 6, 1024),
    (512, 16, 8, 1368),
    (768, 16, 12, 2048),
    (1024, 20, 16, 2736),
)

_SWEEPS = (
    TrainSweep(
        name="learning-rate",
        about="peak learning rate, each with five seeds",
        runs=product(
            axis("optim.peak_lr", 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3),
            axis("seed", *SEEDS),
        ),
    ),
    TrainSweep(
        name="scale",
        about="backbones of 0.8M to 252M parameters, each at three learning rates",
        kind=StemGenRun,
        runs=product(
            together([f"model.transformer.{name}" for name in SHAPE], *SHAPES),
            axis("optim.peak_lr", 5e-4, 1e-3, 2e-3),
        ),
    ),
    TrainSweep(
        name="guidance-dropout",
        about="dropout of each guidance source in training (A16: 0.1 each)",
        kind=StemGenRun,
        runs=product(
            axis("objective.context_dropout", 0.05, 0.1, 0.2, 0.4),
            axis("objective.condition_dropout", 0.05, 0.1, 0.2, 0.4),
        ),
    ),
    TrainSweep(
        name="level-decay",
        about="odds of training a level against the coarser one before it (A1)",
        kind=StemGenRun,
        runs=product(
            axis("objective.level_decay", 0.25, 0.5, 0.7, 0.85, 1.0),
            axis("seed", *SEEDS[:3]),
        ),
    ),
    TrainSweep(
        name="left-open",
        about="choices that the paper leaves open: prefix (A3), embeddings (A6, A25)",
        kind=StemGenRun,
        runs=product(
            axis("objective.keep_prefix", False, True),
            axis("model.shared_embeddings", False, True),
            axis("objective.codebook_init", False, True),
            axis("seed", *SEEDS[:2]),
        ),
    ),
    TrainSweep(
        name="crops",
        about="length of crops against their number (docs/performance.md)",
        kind=StemGenRun,
        runs=product(
            axis("pairs.crop_seconds", 2.5, 5.0, 10.0, 20.0),
            axis("batch_size", 8, 16, 32, 64),
        ),
    ),
    TrainSweep(
        name="hundred",
        about="learning rate x context dropout x seed: a hundred runs",
        kind=StemGenRun,
        runs=product(
            axis("optim.peak_lr", 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3),
            axis("objective.context_dropout", 0.05, 0.1, 0.2, 0.4),
            axis("seed", *SEEDS),
        ),
    ),
    TrainSweep(
        name="codec-losses",
        about="weights of the codec's waveform losses beside its spectral loss",
        kind=CodecRun,
        runs=product(
            axis("objective.wave_weight", 0.1, 1.0),
            axis("objective.sisdr_weight", 0.0, 0.1, 0.3, 1.0),
            axis("objective.mel_l2_weight", 0.0, 1.0),
        ),
    ),
    TrainSweep(
        name="codec-rate",
        about="bit rate of the codec: levels x codes per level",
        kind=CodecRun,
        runs=product(
            axis("model.num_codebooks", 2, 4, 8),
            axis("model.codebook_size", 512, 1024, 2048),
        ),
    ),
)
SWEEPS: dict[str, TrainSweep] = {sweep.name: sweep for sweep in _SWEEPS}
"""Sweeps that `train.py PRESET --sweep` takes by name."""

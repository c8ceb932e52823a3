"""Sweeps of training runs: named grids of settings, one job of an array each.

A sweep's runs are overrides of a preset's fields, so the same sweep serves every preset
of its kind: `train.py PRESET --sweep NAME --index I`.
"""

import dataclasses
import itertools
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from stemjax.config.runs import INVOCATION_FIELDS, CodecRun, CommonRun, Run, StemGenRun
from stemjax.config.typed import typed

Overrides = tuple[tuple[str, Any], ...]
"""(dotted field, value) pairs of one run, e.g. (("optim.peak_lr", 1e-3), ("seed", 1))."""

# paths may differ between runs: two data sets, two codecs, two starts
NOT_SWEPT = tuple(
    f for f in INVOCATION_FIELDS if f not in ("data", "codec", "init_from")
)
OF_THE_CODEC = ("num_codebooks", "codebook_size", "frame_rate")
"""Fields of a StemGen model that a run takes from its codec."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """A named grid of runs."""

    name: str
    about: str
    """What it answers, in one line."""
    kind: type[CommonRun] = CommonRun
    """Runs that it is meant for; `CommonRun` is every preset."""
    runs: tuple[Overrides, ...]


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


def apply(run: Run, sweep: Sweep, index: int) -> Run:
    """`run` with the settings of the sweep's run `index`, counted from 0.

    Raises:
      ValueError: the sweep is for another kind of preset, it has no such run, or a
        field or value that the run does not have; names it.
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
            raise ValueError(f"{field}: of the command line, not of a sweep")
        top, _, name = field.partition(".")
        if isinstance(run, StemGenRun) and top == "model" and name in OF_THE_CODEC:
            raise ValueError(f"{field}: the codec decides it; sweep over codec")
    run = _replaced(run, changes, "")
    shapes = [field for field in changes if field.split(".")[0] == "model"]
    if run.init_from and shapes:
        raise ValueError(f"{shapes[0]}: with init_from the weights decide the model")
    return run


def _replaced(value: Any, changes: Mapping[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(type(value))
    whole: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for field, new in changes.items():
        head, _, rest = field.partition(".")
        if head not in hints:
            raise ValueError(
                f"{prefix}{head}: no such field; one of"
                f" {', '.join(prefix + name for name in hints if name not in NOT_SWEPT)}"
            )
        if not rest:
            try:
                whole[head] = typed(hints[head], new)
            except ValueError as error:
                raise ValueError(f"{prefix}{head}: {error}") from None
        elif dataclasses.is_dataclass(hints[head]):
            inner.setdefault(head, {})[rest] = new
        else:
            raise ValueError(f"{prefix}{field}: {prefix}{head} has no fields")
    for head, parts in inner.items():
        base = whole.get(head, getattr(value, head))
        whole[head] = _replaced(base, parts, f"{prefix}{head}.")
    try:
        return dataclasses.replace(value, **whole)
    except ValueError as error:  # of the dataclass's own check
        raise ValueError(f"{', '.join(prefix + f for f in whole)}: {error}") from None


_KINDS = {StemGenRun: "stemgen presets", CodecRun: "codec presets"}

SEEDS = (0, 1, 2, 3, 4)
# as the paper's model and LLaMA's: heads of 64, hidden units 8/3 of the width
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
    Sweep(
        name="learning-rate",
        about="the peak of the schedule against the noise of five seeds",
        runs=product(
            axis("optim.peak_lr", 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3),
            axis("seed", *SEEDS),
        ),
    ),
    Sweep(
        name="scale",
        about="backbones of 0.8M to 252M, at three rates: the best one falls with size",
        kind=StemGenRun,
        runs=product(
            together([f"model.transformer.{name}" for name in SHAPE], *SHAPES),
            axis("optim.peak_lr", 5e-4, 1e-3, 2e-3),
        ),
    ),
    Sweep(
        name="guidance-dropout",
        about="how often each guidance source is hidden in training (A16: 0.1 each)",
        kind=StemGenRun,
        runs=product(
            axis("objective.context_dropout", 0.05, 0.1, 0.2, 0.4),
            axis("objective.condition_dropout", 0.05, 0.1, 0.2, 0.4),
        ),
    ),
    Sweep(
        name="level-decay",
        about="how much more often coarse levels are trained than fine ones (A1)",
        kind=StemGenRun,
        runs=product(
            axis("objective.level_decay", 0.25, 0.5, 0.7, 0.85, 1.0),
            axis("seed", *SEEDS[:3]),
        ),
    ),
    Sweep(
        name="left-open",
        about="what the paper leaves open: the prefix (A3), embeddings (A6, A25)",
        kind=StemGenRun,
        runs=product(
            axis("objective.keep_prefix", False, True),
            axis("model.shared_embeddings", False, True),
            axis("objective.codebook_init", False, True),
            axis("seed", *SEEDS[:2]),
        ),
    ),
    Sweep(
        name="crops",
        about="length of crops against their number (see docs/performance.md)",
        kind=StemGenRun,
        runs=product(
            axis("pairs.crop_seconds", 2.5, 5.0, 10.0, 20.0),
            axis("batch_size", 8, 16, 32, 64),
        ),
    ),
    Sweep(
        name="hundred",
        about="rates x dropouts of the context x seeds: a hundred runs",
        kind=StemGenRun,
        runs=product(
            axis("optim.peak_lr", 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3),
            axis("objective.context_dropout", 0.05, 0.1, 0.2, 0.4),
            axis("seed", *SEEDS),
        ),
    ),
    Sweep(
        name="codec-losses",
        about="the codec's distances of samples beside those of spectra",
        kind=CodecRun,
        runs=product(
            axis("objective.wave_weight", 0.1, 1.0),
            axis("objective.sisdr_weight", 0.0, 0.1, 0.3, 1.0),
            axis("objective.mel_l2_weight", 0.0, 1.0),
        ),
    ),
    Sweep(
        name="codec-rate",
        about="the codec's bits per second: levels x codes",
        kind=CodecRun,
        runs=product(
            axis("model.num_codebooks", 2, 4, 8),
            axis("model.codebook_size", 512, 1024, 2048),
        ),
    ),
)
SWEEPS: dict[str, Sweep] = {sweep.name: sweep for sweep in _SWEEPS}
"""What `train.py PRESET --sweep` knows by name."""

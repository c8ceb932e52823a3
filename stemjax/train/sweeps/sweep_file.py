"""Sweeps of training runs from a TOML file.

[settings]                        # of every run
steps = 2000

[axes]                            # every combination is a run; the last axis changes first
optim.peak_lr = [1e-3, 2e-3]
seed = [0, 1, 2]
depth = [                         # an axis of tables: fields that change together
  { model.transformer.layers = 6, optim.warmup_steps = 100 },
  { model.transformer.layers = 12, optim.warmup_steps = 500 },
]

[[run]]                           # one more run
optim.peak_lr = 4e-3
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from stemjax.config.train_sweeps import Overrides, TrainSweep, axis, product
from stemjax.io.errors import UserError
from stemjax.io.toml_file import axes_of, read_toml

PARTS = {"settings": dict, "axes": dict, "run": list}


def read_sweep(path: str | os.PathLike) -> TrainSweep:
    """The runs of a TOML file: the combinations of its axes, then its single runs.

    Fields and values are not checked here: `train_sweeps.apply` knows the preset.

    Raises:
      UserError: no such file, not TOML, an unknown part, or no run.
    """
    file = pathlib.Path(path)
    parts = read_toml(file, PARTS, what="sweep")
    runs = list(_combinations(file, parts.get("axes", {})))
    for run in parts.get("run", ()):
        if not isinstance(run, dict):
            raise UserError(f"{file}: every [[run]] must be a table of fields")
        runs.append(_overrides(file, run))
    if not runs:
        raise UserError(f"{file}: no run; give [axes] or [[run]]")
    settings = dict(_overrides(file, parts.get("settings", {})))
    overrides = tuple(tuple((settings | dict(run)).items()) for run in runs)
    return TrainSweep(name=file.stem, about=f"runs of {file}", runs=overrides)


def _combinations(file: pathlib.Path, axes: Mapping[str, Any]) -> tuple[Overrides, ...]:
    if not axes:
        return ()
    parts = []
    for field, values in axes_of(file, dict(_overrides(file, axes))):
        are_tables = {isinstance(value, dict) for value in values}
        if len(are_tables) > 1:
            raise UserError(f"{file}: axes.{field} mixes tables and values")
        parts.append(
            tuple(_overrides(file, value) for value in values)
            if True in are_tables
            else axis(field, *values)
        )
    try:
        return product(*parts)
    except ValueError as error:
        raise UserError(f"{file}: {error}") from None


def _overrides(file: pathlib.Path, table: Mapping[str, Any], prefix="") -> Overrides:
    """Nested tables as dotted names, so that `a.b = 1` and `"a.b" = 1` mean the same."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        is_table = isinstance(value, dict)
        inner = _overrides(file, value, f"{prefix}{key}.") if is_table else ()
        for name, part in inner if is_table else ((prefix + key, value),):
            if name in values:
                raise UserError(f"{file}: {name!r} is given twice")
            values[name] = part
    return tuple(values.items())

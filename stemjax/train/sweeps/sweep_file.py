"""A sweep of training runs from a file of the user's own.

[settings]                        # of every run
steps = 2000

[axes]                            # every combination is a run, the last axis fastest
optim.peak_lr = [1e-3, 2e-3]
seed = [0, 1, 2]
depth = [                         # an axis of tables: fields that change together
  { model.transformer.layers = 6, optim.warmup_steps = 100 },
  { model.transformer.layers = 12, optim.warmup_steps = 500 },
]

[[run]]                           # further runs, one by one
optim.peak_lr = 4e-3
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from stemjax.config.train_sweeps import Overrides, Sweep, axis, product
from stemjax.io.errors import UserError
from stemjax.io.toml_file import read_toml

PARTS = {"settings": dict, "axes": dict, "run": list}


def read_sweep(path: str | os.PathLike) -> Sweep:
    """The runs of a TOML file: the combinations of its axes, then its single runs.

    Fields and values are not looked at here: `train_sweeps.apply` knows the preset.

    Raises:
      UserError: no such file, no TOML, a part that is no sweep's, or no run at all.
    """
    file = pathlib.Path(path)
    found = read_toml(file, PARTS, what="sweep")
    runs = list(_combinations(file, found.get("axes", {})))
    for run in found.get("run", ()):
        if not isinstance(run, dict):
            raise UserError(f"{file}: every [[run]] must be a table of fields")
        runs.append(_fields(file, run))
    if not runs:
        raise UserError(f"{file}: no run; give [axes] or [[run]]")
    settings = _fields(file, found.get("settings", {}))
    whole = [tuple((dict(settings) | dict(run)).items()) for run in runs]
    return Sweep(name=file.stem, about=f"of {file}", runs=tuple(whole))


def _combinations(file: pathlib.Path, axes: Mapping[str, Any]) -> tuple[Overrides, ...]:
    if not axes:
        return ()
    parts = []
    for field, values in _fields(file, axes):
        if not isinstance(values, list) or not values:
            raise UserError(f"{file}: axes.{field} must be a list of values")
        tables = [isinstance(value, dict) for value in values]
        if any(tables) and not all(tables):
            raise UserError(f"{file}: axes.{field} mixes tables and values")
        parts.append(
            tuple(_fields(file, value) for value in values)
            if any(tables)
            else axis(field, *values)
        )
    try:
        return product(*parts)
    except ValueError as error:
        raise UserError(f"{file}: {error}") from None


def _fields(file: pathlib.Path, table: Mapping[str, Any], prefix="") -> Overrides:
    """Nested tables as dotted names; TOML reads `a.b = 1` and `"a.b" = 1` unlike."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        is_table = isinstance(value, dict)
        inner = _fields(file, value, f"{prefix}{key}.") if is_table else ()
        for name, part in inner if is_table else ((prefix + key, value),):
            if name in found:
                raise UserError(f"{file}: {name!r} is given twice")
            found[name] = part
    return tuple(found.items())

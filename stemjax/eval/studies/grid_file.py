"""A grid of decoding settings from a file of the user's own.

base = "best"                     # a preset; what the file names replaces its values

[settings]                        # for every row
steps = [32, 16, 8, 8]

[axes]                            # every combination is a row
scales = [[1.0, 1.0], [3.0, 3.0]]
w_causal = [0.0, 0.1]

[[row]]                           # further rows, one by one
name = "hot"
temperature = 1.2
"""

import dataclasses
import itertools
import os
import pathlib
import typing
from collections.abc import Mapping
from typing import Any

from stemjax.config.decode import DECODE_PRESETS, DecodeConfig
from stemjax.config.sweeps import Row
from stemjax.config.typed import typed
from stemjax.io.errors import UserError
from stemjax.io.toml_file import read_toml

PARTS = {"base": str, "settings": dict, "axes": dict, "row": list}
FIELDS = typing.get_type_hints(DecodeConfig)


def read_grid(path: str | os.PathLike) -> tuple[Row, ...]:
    """The rows of a TOML file: the combinations of its axes, then its single rows.

    Raises:
      UserError: no such file, no TOML, an unknown setting or a bad value, two rows of
        one name, or no row at all.
    """
    file = pathlib.Path(path)
    found = read_toml(file, PARTS, what="grid")
    name = found.get("base", "best")
    if name not in DECODE_PRESETS:
        raise UserError(f"{file}: base {name!r} is none of {', '.join(DECODE_PRESETS)}")
    base = _changed(file, DECODE_PRESETS[name], found.get("settings", {}))
    rows = [*_combinations(file, base, found.get("axes", {}))]
    rows += [_single(file, base, row) for row in found.get("row", ())]
    names = [row.name for row in rows]
    if not rows:
        raise UserError(f"{file}: no row; give [axes] or [[row]]")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{file}: two rows are named {name!r}")
    return tuple(rows)


def _combinations(file, base: DecodeConfig, axes: Mapping[str, Any]) -> list[Row]:
    for field, values in axes.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{file}: axes.{field} must be a list of values")
    if not axes:
        return []
    rows = []
    for values in itertools.product(*axes.values()):
        settings = dict(zip(axes, values, strict=True))
        name = ", ".join(f"{field} {_shown(v)}" for field, v in settings.items())
        rows.append(Row(name=name, points=(_changed(file, base, settings),)))
    return rows


def _single(file, base: DecodeConfig, row: Any) -> Row:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise UserError(f"{file}: every [[row]] needs a name")
    settings = {field: value for field, value in row.items() if field != "name"}
    return Row(name=row["name"], points=(_changed(file, base, settings),))


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _changed(file, base: DecodeConfig, settings: Mapping[str, Any]) -> DecodeConfig:
    for field in settings:
        if field not in FIELDS:
            raise UserError(
                f"{file}: unknown setting {field!r}; one of {', '.join(FIELDS)}"
            )
    try:
        values = {field: typed(FIELDS[field], v) for field, v in settings.items()}
        return dataclasses.replace(base, **values)
    except ValueError as error:
        raise UserError(f"{file}: {dict(settings)}: {error}") from None

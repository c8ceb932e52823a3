"""Grids of decoding settings: named ones, and TOML files.

base = "best"                     # preset; the settings below replace its values

[settings]                        # for every row
steps = [32, 16, 8, 8]

[axes]                            # each combination is a row
scales = [[1.0, 1.0], [3.0, 3.0]]
w_causal = [0.0, 0.1]

[[row]]                           # further single rows
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
from stemjax.config.plain_values import FieldError, from_json
from stemjax.config.sweeps import GRIDS, TableRow
from stemjax.io.errors import UserError
from stemjax.io.toml_file import axes_of, read_toml

PARTS = {"base": str, "settings": dict, "axes": dict, "row": list}
FIELDS = typing.get_type_hints(DecodeConfig)


def find_grid(name_or_file: str) -> tuple[TableRow, ...]:
    """Rows of a named grid or of a TOML file.

    Raises:
      UserError: an unknown name, or as `read_grid`.
    """
    if name_or_file in GRIDS:
        return GRIDS[name_or_file]
    if not pathlib.Path(name_or_file).suffix:
        raise UserError(
            f"no grid {name_or_file!r}: one of {', '.join(GRIDS)}, or a .toml file"
        )
    return read_grid(name_or_file)


def read_grid(path: str | os.PathLike) -> tuple[TableRow, ...]:
    """Rows of a TOML file: the combinations of its axes, then its single rows.

    Raises:
      UserError: a missing file, bad TOML, an unknown setting, a bad value, two rows
        with the same name, or no row.
    """
    file = pathlib.Path(path)
    parts = read_toml(file, PARTS, what="grid")
    preset = parts.get("base", "best")
    if preset not in DECODE_PRESETS:
        raise UserError(
            f"{file}: base {preset!r} is not one of {', '.join(DECODE_PRESETS)}"
        )
    base = _replaced(file, DECODE_PRESETS[preset], parts.get("settings", {}))
    rows = [*_combinations(file, base, parts.get("axes", {}))]
    rows += [_single(file, base, row) for row in parts.get("row", ())]
    names = [row.name for row in rows]
    if not rows:
        raise UserError(f"{file}: no row; give [axes] or [[row]]")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{file}: two rows have the name {name!r}")
    return tuple(rows)


def _combinations(file, base: DecodeConfig, axes: Mapping[str, Any]) -> list[TableRow]:
    if not axes:
        return []
    rows = []
    for values in itertools.product(*(v for _, v in axes_of(file, axes))):
        settings = dict(zip(axes, values, strict=True))
        name = ", ".join(f"{field} {_text(v)}" for field, v in settings.items())
        rows.append(TableRow(name=name, points=(_replaced(file, base, settings),)))
    return rows


def _single(file, base: DecodeConfig, row: Any) -> TableRow:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise UserError(f"{file}: every [[row]] needs a name")
    settings = {field: value for field, value in row.items() if field != "name"}
    return TableRow(name=row["name"], points=(_replaced(file, base, settings),))


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _replaced(file, base: DecodeConfig, settings: Mapping[str, Any]) -> DecodeConfig:
    for field in settings:
        if field not in FIELDS:
            raise UserError(
                f"{file}: unknown setting {field!r}; one of {', '.join(FIELDS)}"
            )
    try:
        values = {field: _typed(field, value) for field, value in settings.items()}
        return dataclasses.replace(base, **values)
    except ValueError as error:
        raise UserError(f"{file}: {dict(settings)}: {error}") from None


def _typed(field: str, value: Any) -> Any:
    try:
        return from_json(FIELDS[field], value)
    except FieldError as error:
        raise error.inside(field) from None

"""Scores of single examples by other programs: COCOLA, CLAP, a listening test.

A CSV file has a header and the columns `id` and `value`; an optional column `real` holds
the same score of the real stem.  Other columns are ignored.
"""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.metrics import Metric
from stemjax.eval.metrics.jackknife import estimate_json, jackknife
from stemjax.io.errors import UserError
from stemjax.io.table_file import read_csv


class ScoreTable(NamedTuple):
    """Scores of one file."""

    path: pathlib.Path
    """The CSV file."""
    values: dict[str, float]
    """Scores of the generated stems, by id."""
    real: dict[str, float] | None
    """Scores of the real stems, by id; None if the file has no column `real`."""


def measure(
    tables: Mapping[str, ScoreTable], ids: Sequence[str], group: np.ndarray
) -> dict[str, Any]:
    """Mean of each score over the examples with its standard error, as JSON values.

    If the file has scores of real stems, `real` is their mean and `ratio` the ratio of
    the two means.  `ignored` counts rows of other examples.

    Args:
      tables: by name of the score; each has every id, see `check_ids`.
      ids: [C] of the examples.
      group: [C] int of `jackknife.assign_groups`, in the order of `ids`.
    """
    return {name: _measure(name, t, ids, group) for name, t in tables.items()}


def read_named(texts: Sequence[str]) -> dict[str, ScoreTable]:
    """Read the tables of the arguments NAME=FILE.csv, by name.

    Raises:
      UserError: another form, a name that occurs twice or is a metric's, a faulty file.
    """
    tables: dict[str, ScoreTable] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name.strip() or not path:
            raise UserError(f"--scores {text}: give NAME=FILE.csv")
        if name in tables or name in {metric.value for metric in Metric}:
            raise UserError(
                f"--scores {text}: the name {name!r} is taken; give another"
            )
        tables[name] = read_table(path)
    return tables


def check_ids(tables: Mapping[str, ScoreTable], ids: Sequence[str]) -> None:
    """Check that every table has every example.

    Raises:
      UserError: an example without a row.
    """
    for table in tables.values():
        for key in ids:
            if key not in table.values:
                raise UserError(
                    f"{table.path}: no row of the example {key!r}; score it too"
                )


def read_table(path: str | os.PathLike) -> ScoreTable:
    """Read a file of scores.

    Raises:
      UserError: no such file, missing columns, an id that occurs twice, or a value that
        is not a number.
    """
    path = pathlib.Path(path)
    table = read_csv(path, ("id", "value"), mend="its first line is id,value")
    values: dict[str, float] = {}
    real: dict[str, float] = {}
    for where, row in table.rows:
        key = row["id"]
        if key in values:
            raise UserError(f"{where}: the id {key!r} occurs twice; keep one")
        values[key] = _number(where, row["value"])
        if "real" in table.columns:
            real[key] = _number(where, row["real"])
    return ScoreTable(path, values, real if "real" in table.columns else None)


def _measure(name: str, table: ScoreTable, ids: Sequence[str], group) -> dict[str, Any]:
    values = np.array([table.values[key] for key in ids])
    entry = {
        "id": name,
        "n": len(ids),
        "ignored": len(table.values) - len(ids),
    } | estimate_json(jackknife(lambda kept: float(values[kept].mean()), group))
    if table.real is None:
        return entry
    real = np.array([table.real[key] for key in ids])
    entry["real"] = estimate_json(
        jackknife(lambda kept: float(real[kept].mean()), group)
    )
    sums = [real.sum(), *(real[group != g].sum() for g in np.unique(group))]
    if np.all(np.sign(sums) == np.sign(sums[0])) and sums[0]:
        entry["ratio"] = estimate_json(
            jackknife(lambda kept: float(values[kept].sum() / real[kept].sum()), group)
        )
    else:
        entry["ratio"] = {
            "value": None,
            "status": "unavailable",
            "reason": "the real stems' mean is zero within its groups",
        }
    return entry


def _number(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: {text!r} is not a number, such as 0.5")
    return value

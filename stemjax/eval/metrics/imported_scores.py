"""Scores of single examples that were made elsewhere: COCOLA, CLAP, a listening test.

A CSV file with a header and the columns `id` and `value`; a column `real` holds the same
score of the real stem.  Other columns are not read.
"""

import csv
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.metrics import Metric
from stemjax.eval.metrics.jackknife import Estimate, jackknife
from stemjax.io.errors import UserError


class Table(NamedTuple):
    """A file's rows by id."""

    path: pathlib.Path
    values: dict[str, float]
    real: dict[str, float] | None
    """None: the file has no such column."""


def measure(
    tables: Mapping[str, Table], ids: Sequence[str], group: np.ndarray
) -> dict[str, Any]:
    """Means over examples with their standard errors, by name of the score; JSON values.

    Beside the mean of the generated stems that of the `real` ones, and the ratio of the
    two means, where the file has them; `ignored` counts rows of other examples.

    tables: by name, with every id, see `check_ids`.
    group: [C] int of `jackknife.assign_groups`, in the order of `ids`.
    """
    return {name: _measure(name, t, ids, group) for name, t in tables.items()}


def read_named(texts: Sequence[str]) -> dict[str, Table]:
    """The tables of NAME=FILE.csv, by name.

    Raises:
      UserError: not of this form, a name twice or one of a metric; a file with a fault.
    """
    tables: dict[str, Table] = {}
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


def check_ids(tables: Mapping[str, Table], ids: Sequence[str]) -> None:
    """That every example has a row in every table.

    Raises:
      UserError: one that has none.
    """
    for table in tables.values():
        for key in ids:
            if key not in table.values:
                raise UserError(
                    f"{table.path}: no row of the example {key!r}; score it too"
                )


def read_table(path: str | os.PathLike) -> Table:
    """Read a file of scores.

    Raises:
      UserError: no such file, no such columns, an id twice, or what is no number.
    """
    path = pathlib.Path(path)
    try:
        # spreadsheets put a byte order mark first
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UserError(
            f"{path}: cannot be read; give a CSV file with the columns id,value"
        ) from None
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    for name in ("id", "value"):
        if name not in names:
            raise UserError(f"{path}: no column {name!r}; its first line is id,value")
    values: dict[str, float] = {}
    real: dict[str, float] = {}
    for row in reader:
        where, key = f"{path}, line {reader.line_num}", (row["id"] or "").strip()
        if key in values:
            raise UserError(f"{where}: the id {key!r} occurs twice; keep one")
        values[key] = _number(where, row["value"])
        if "real" in names:
            real[key] = _number(where, row["real"])
    return Table(path, values, real if "real" in names else None)


def _measure(name: str, table: Table, ids: Sequence[str], group) -> dict[str, Any]:
    values = np.array([table.values[key] for key in ids])
    entry = {
        "id": name,
        "n": len(ids),
        "ignored": len(table.values) - len(ids),
    } | _entry(jackknife(lambda kept: float(values[kept].mean()), group))
    if table.real is None:
        return entry
    real = np.array([table.real[key] for key in ids])
    entry["real"] = _entry(jackknife(lambda kept: float(real[kept].mean()), group))
    sums = [real.sum(), *(real[group != g].sum() for g in np.unique(group))]
    if np.all(np.sign(sums) == np.sign(sums[0])) and sums[0]:
        entry["ratio"] = _entry(
            jackknife(lambda kept: float(values[kept].sum() / real[kept].sum()), group)
        )
    else:
        entry["ratio"] = {
            "value": None,
            "status": "unavailable",
            "reason": "the real stems' mean is zero within its groups",
        }
    return entry


def _entry(estimate: Estimate) -> dict[str, Any]:
    """As the entries of metrics; no error can be given for one group."""
    has_error = math.isfinite(estimate.se)
    return {
        "value": estimate.value,
        "se": estimate.se if has_error else None,
        "corrected": estimate.corrected if has_error else None,
        "groups": [float(g) for g in estimate.groups],
        "sizes": [int(s) for s in estimate.sizes],
        "status": "ok",
    }


def _number(where: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: {text!r} is no number")
    return value

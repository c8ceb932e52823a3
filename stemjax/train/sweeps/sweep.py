"""The run of a sweep that `--sweep NAME|FILE.toml --index I` selects. Imports no jax."""

import dataclasses
import os
from typing import Any

from stemjax.config.plain_values import to_json
from stemjax.config.runs import Invocation, Run
from stemjax.config.train_sweeps import SWEEPS, TrainSweep, apply
from stemjax.io.columns import columns
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text
from stemjax.train.sweeps.sweep_file import read_sweep

DIGITS = 3  # of a run's folder, at least, so that folders sort by number


def select(run: Run, invocation: Invocation) -> tuple[Run, Invocation] | None:
    """The run that `--sweep` and `--index` select, and its invocation.

    The workdir of a sweep's run is WORKDIR/NAME/III, so that the runs of a job array lie
    side by side.  Without --index the sweep's runs are printed as a table.

    Returns:
      `run` and `invocation` unchanged without --sweep; None after the table of
      `--dry-run` without --index.

    Raises:
      UserError: no such sweep or run, --index without --sweep or the reverse, or a
        setting that the preset does not take.
    """
    name, index = invocation.sweep, invocation.index
    if name is None:
        if index is not None:
            raise UserError(f"--index {index}: give --sweep NAME too")
        return run, invocation
    sweep = find(name)
    runs = _all_runs(run, sweep, name)
    last = len(runs) - 1
    if index is None:
        print(f"{sweep.name}: {sweep.about}")
        print(listing(sweep))
        if invocation.dry_run:
            return None
        raise UserError(f"--sweep {name}: give --index 0..{last}, one for each job")
    if not 0 <= index <= last:
        raise UserError(f"--index {index}: sweep {sweep.name!r} has runs 0..{last}")
    folder = folder_name(index, len(runs))
    settings = ", ".join(f"{k} {_text(v)}" for k, v in sweep.runs[index])
    print(f"{sweep.name}/{folder}: {settings}", flush=True)
    if invocation.workdir is not None:
        workdir = os.path.join(invocation.workdir, sweep.name, folder)
        invocation = dataclasses.replace(invocation, workdir=workdir)
    return runs[index], invocation


def find(name: str) -> TrainSweep:
    """The sweep of a name, or of a .toml file.

    Raises:
      UserError: neither, or a bad file.
    """
    if name.endswith(".toml"):
        return read_sweep(name)
    if name not in SWEEPS:
        raise UserError(f"--sweep {name}: one of {', '.join(SWEEPS)}, or a .toml file")
    return SWEEPS[name]


def folder_name(index: int, count: int) -> str:
    """The folder of one run: "007" of a hundred runs, "0007" of ten thousand."""
    digits = max(DIGITS, len(str(count - 1)))
    return f"{index:0{digits}d}"


def listing(sweep: TrainSweep) -> str:
    """Table of a sweep's runs: index and settings."""
    fields = list(dict.fromkeys(field for run in sweep.runs for field, _ in run))
    rows = [
        [str(index), *(_text(dict(run)[f]) if f in dict(run) else "-" for f in fields)]
        for index, run in enumerate(sweep.runs)
    ]
    return columns(["index", *fields], rows)


def _all_runs(run: Run, sweep: TrainSweep, name: str) -> list[Run]:
    """Every run of the sweep: each job of an array reports a fault in any of them.

    Raises:
      UserError: a run with a bad setting, or two equal runs.
    """
    runs: dict[Run, int] = {}
    for index in range(len(sweep.runs)):
        try:
            swept = apply(run, sweep, index)
        except ValueError as error:
            raise UserError(f"--sweep {name}: run {index}: {error}") from None
        if runs.setdefault(swept, index) != index:
            raise UserError(
                f"--sweep {name}: runs {runs[swept]} and {index} are the same"
            )
    return list(runs)


def _text(value: Any) -> str:
    text = to_json(value)
    return text if isinstance(text, str) else json_text(text)

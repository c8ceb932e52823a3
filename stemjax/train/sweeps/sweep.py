"""One run of a sweep, by `--sweep NAME|FILE.toml --index I`. Imports no jax."""

import dataclasses
import json
import os
from typing import Any

from stemjax.config.runs import Run, to_json
from stemjax.config.train_sweeps import SWEEPS, Sweep, apply
from stemjax.io.columns import columns
from stemjax.io.errors import UserError
from stemjax.train.sweeps.sweep_file import read_sweep

NO_INDEX = -1
DIGITS = 3  # of a run's folder, at least, so that folders sort by number


def chosen(run: Run) -> Run | None:
    """The run to train: `run`, or the run of `run.sweep` that `run.index` names.

    Its workdir is WORKDIR/NAME/III, so that the runs of a job array lie side by side.
    Without an index the table of the sweep's runs is printed.

    Returns:
      None where only the table was asked for (`--dry-run` without `--index`).

    Raises:
      UserError: no such sweep or run, an index alone, no index, or a setting that
        this preset does not take.
    """
    if not run.sweep:
        if run.index != NO_INDEX:
            raise UserError(f"--index {run.index}: give --sweep NAME too")
        return run
    sweep = find(run.sweep)
    runs = _all_runs(run, sweep)
    last = len(runs) - 1
    if run.index == NO_INDEX:
        print(f"{sweep.name}: {sweep.about}")
        print(listing(sweep))
        if run.dry_run:
            return None
        raise UserError(
            f"--sweep {run.sweep}: give --index 0..{last}, one for each job"
        )
    if not 0 <= run.index <= last:
        raise UserError(f"--index {run.index}: sweep {sweep.name!r} has runs 0..{last}")
    name = folder_name(run.index, len(runs))
    settings = ", ".join(f"{k} {_shown(v)}" for k, v in sweep.runs[run.index])
    print(f"{sweep.name}/{name}: {settings}", flush=True)
    one = runs[run.index]
    if not run.workdir:
        return one
    workdir = os.path.join(run.workdir, sweep.name, name)
    return dataclasses.replace(one, workdir=workdir)


def find(name: str) -> Sweep:
    """A sweep by its name, or of a .toml file.

    Raises:
      UserError: neither, or a bad file.
    """
    if name.endswith(".toml"):
        return read_sweep(name)
    if name not in SWEEPS:
        raise UserError(
            f"--sweep {name}: one of {', '.join(SWEEPS)}, or a .toml file of your own"
        )
    return SWEEPS[name]


def folder_name(index: int, count: int) -> str:
    """The folder of one run: "007" of a hundred, "0007" of ten thousand."""
    digits = max(DIGITS, len(str(count - 1)))
    return f"{index:0{digits}d}"


def listing(sweep: Sweep) -> str:
    """The table of a sweep's runs: index and settings."""
    fields = list(dict.fromkeys(field for run in sweep.runs for field, _ in run))
    rows = [
        [str(index), *(_shown(dict(run)[f]) if f in dict(run) else "-" for f in fields)]
        for index, run in enumerate(sweep.runs)
    ]
    return columns(["index", *fields], rows)


def _all_runs(run: Run, sweep: Sweep) -> list[Run]:
    """Every job of an array sees a fault of any of the runs, before one trains."""
    runs: dict[Run, int] = {}
    for index in range(len(sweep.runs)):
        try:
            one = apply(run, sweep, index)
        except ValueError as error:
            raise UserError(f"--sweep {run.sweep}: run {index}: {error}") from None
        if runs.setdefault(one, index) != index:
            raise UserError(
                f"--sweep {run.sweep}: runs {runs[one]} and {index} are the same"
            )
    return list(runs)


def _shown(value: Any) -> str:
    plain = to_json(value)
    return plain if isinstance(plain, str) else json.dumps(plain)

"""State of a run in its workdir: run.json, DONE and the log files."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from stemjax.config.runs import (
    RUN_TYPES,
    CommonRun,
    first_difference,
    resolved,
    run_id,
)
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as, read_json, typed, write_json
from stemjax.io.release import RUN
from stemjax.io.remote import as_path, make_folder
from stemjax.train.metrics import EVALUATION, METRICS, drop_after

DONE = "DONE"
FORMAT = 1
MEND = "restore it from a copy"
NOT_RECORDED_AT_FIRST = frozenset({"codec_config"})
"""Names in `SavedRun.identity` that the first version did not write."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedRun:
    """Content of run.json; a setting that it lacks has its default."""

    format: int
    """Format of the file."""
    kind: str
    """Name of the task."""
    id: str
    """Id of the run."""
    run: CommonRun
    """Settings, without paths."""
    identity: dict[str, str] = dataclasses.field(default_factory=dict)
    """Digests of the run's inputs: data, codec, initial weights."""
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Other entries, which may change, such as the folder of the codec."""


@dataclasses.dataclass(frozen=True)
class RunEnd:
    """Content of DONE."""

    step: int
    """Optimiser steps done."""
    reason: str
    """"steps", or why the run ended earlier."""


def claim(
    workdir: str | os.PathLike,
    kind: str,
    run: CommonRun,
    identity: Mapping[str, str],
    about: Mapping[str, Any],
    *,
    is_writer: bool = True,
) -> None:
    """Write run.json to a new workdir; check that an old workdir holds the same run.

    The run of an old workdir keeps its id.  What its run.json lacks, because an earlier
    version wrote it, has the default; a digest that early versions did not record is
    compared where it is known.

    Args:
      kind: name of the task.
      identity: digests of the run's inputs: data, codec, initial weights.
      about: other entries, which may change, such as the folder of the codec.
      is_writer: whether this process writes; every process checks.

    Raises:
      UserError: the workdir of another run; names the field that differs.
    """
    path = as_path(workdir) / RUN
    name = run_id(run)
    if path.exists():
        saved = read_run(workdir)
        if saved.kind != kind:
            raise UserError(
                f"{path}: field 'kind' is {saved.kind!r}, not {kind!r}; give another"
                " --workdir"
            )
        field = first_difference(resolved(saved.run), resolved(run))
        unknown = NOT_RECORDED_AT_FIRST - saved.identity.keys()
        field = field or first_difference(
            saved.identity, {n: v for n, v in identity.items() if n not in unknown}
        )
        if field:
            raise UserError(
                f"{path}: field {field!r} differs from this command;"
                " give the same setting or another --workdir"
            )
        name = saved.id
    if is_writer:
        make_folder(workdir)
        content = {
            "format": FORMAT,
            "kind": kind,
            "id": name,
            "run": resolved(run),
            "identity": dict(identity),
            "about": dict(about),
        }
        write_json(path, content)


def read_run(workdir: str | os.PathLike) -> SavedRun:
    """The workdir's run.json.

    Raises:
      UserError: missing, broken, or of another format; names a field that is wrong.
    """
    path = as_path(workdir) / RUN
    if not path.exists():
        raise UserError(f"{workdir}: no {RUN}; give a training workdir")
    saved = typed(dict[str, Any], read_json(path, mend=MEND), path, mend=MEND)
    if saved.get("format") != FORMAT:
        raise UserError(
            f"{path}: format {saved.get('format')!r} is not {FORMAT};"
            " use the stemjax version that wrote it"
        )
    kind = saved.get("kind")
    run_type = RUN_TYPES.get(kind, CommonRun) if isinstance(kind, str) else CommonRun
    # reading the settings alone first gives them the type of their kind
    settings = {"run": saved["run"]} if "run" in saved else {}
    settings = typed(dict[str, run_type], settings, path, mend=MEND)
    return typed(SavedRun, saved | settings, path, mend=MEND)


def read_end(workdir: str | os.PathLike) -> RunEnd | None:
    """The workdir's DONE; None: the run has not ended.

    Raises:
      UserError: broken.
    """
    path = as_path(workdir) / DONE
    if not path.exists():
        return None
    return read_as(RunEnd, path, mend="delete it; the run then goes on")


def finished(workdir: str | os.PathLike, steps: int) -> str | None:
    """Message that the run has finished; None: it has not.

    Raises:
      UserError: a DONE that is broken.
    """
    end = read_end(workdir)
    if end is None or (end.reason == "steps" and end.step < steps):
        return None  # --steps may have been raised
    return f"{workdir}: finished at step {end.step} ({end.reason})"


def mark_done(workdir: str | os.PathLike, step: int, reason: str) -> None:
    """Write DONE, the last file that a run writes."""
    content = dataclasses.asdict(RunEnd(step, reason))
    write_json(as_path(workdir) / DONE, content, indent=None)


def rewind(workdir: str | os.PathLike, step: int) -> None:
    """Drop the log lines past the restored step, so that each step has one line."""
    workdir = as_path(workdir)
    (workdir / DONE).unlink(missing_ok=True)
    for name in (METRICS, EVALUATION):
        drop_after(workdir / name, step)

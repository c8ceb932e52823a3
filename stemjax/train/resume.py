"""State of a run in its workdir: run.json, DONE and the log files."""

import json
import os
from collections.abc import Mapping
from typing import Any

from stemjax.config.runs import CommonRun, first_difference, resolved, run_id
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.release import RUN
from stemjax.io.remote import as_path, make_folder
from stemjax.train.metrics import EVALUATION, METRICS, drop_after

DONE = "DONE"
FORMAT = 1


def claim(
    workdir: str | os.PathLike,
    kind: str,
    run: CommonRun,
    identity: Mapping[str, Any],
    about: Mapping[str, Any],
    *,
    is_writer: bool = True,
) -> None:
    """Write run.json to a new workdir; check that an old workdir holds the same run.

    Args:
      kind: name of the task.
      identity: digests of the run's inputs: data, codec, initial weights.
      about: other entries, which may change, such as the folder of the codec.
      is_writer: whether this process writes; every process checks.

    Raises:
      UserError: the workdir of another run; names the field that differs.
    """
    now = {
        "format": FORMAT,
        "kind": kind,
        "id": run_id(run),
        "run": resolved(run),
        "identity": dict(identity),
        "about": dict(about),
    }
    path = as_path(workdir) / RUN
    if not path.is_file():
        if is_writer:
            make_folder(workdir)
            write_text(path, json.dumps(now, indent=2, sort_keys=True) + "\n")
        return
    saved = read_run(workdir)
    if saved["kind"] != kind:
        raise UserError(
            f"{path}: field 'kind' is {saved['kind']!r}, not {kind!r}; give another"
            " --workdir"
        )
    current = json.loads(json.dumps(now))  # with lists for tuples, like the file
    field = first_difference(saved["run"], current["run"]) or first_difference(
        saved["identity"], current["identity"]
    )
    if field:
        raise UserError(
            f"{path}: field {field!r} differs from this command;"
            " give the same setting or another --workdir"
        )
    if is_writer:
        write_text(path, json.dumps(now, indent=2, sort_keys=True) + "\n")


def read_run(workdir: str | os.PathLike) -> dict[str, Any]:
    """The workdir's run.json.

    Raises:
      UserError: missing, broken, or of another format.
    """
    path = as_path(workdir) / RUN
    if not path.is_file():
        raise UserError(f"{workdir}: no {RUN}; give a training workdir")
    try:
        saved = json.loads(path.read_bytes())
    except ValueError:
        raise UserError(f"{path}: not valid JSON; restore it from a copy") from None
    if saved.get("format") != FORMAT:
        raise UserError(
            f"{path}: format {saved.get('format')!r} is not {FORMAT};"
            " use the stemjax version that wrote it"
        )
    return saved


def finished(workdir: str | os.PathLike, steps: int) -> str | None:
    """Message that the run has finished; None: it has not."""
    path = as_path(workdir) / DONE
    if not path.is_file():
        return None
    done = json.loads(path.read_bytes())
    if done["reason"] == "steps" and done["step"] < steps:
        return None  # --steps has been raised
    return f"{workdir}: finished at step {done['step']} ({done['reason']})"


def mark_done(workdir: str | os.PathLike, step: int, reason: str) -> None:
    """Write DONE, the last file that a run writes."""
    text = json.dumps({"step": step, "reason": reason}) + "\n"
    write_text(as_path(workdir) / DONE, text)


def rewind(workdir: str | os.PathLike, step: int) -> None:
    """Drop the log lines past the restored step, so that each step has one line."""
    workdir = as_path(workdir)
    (workdir / DONE).unlink(missing_ok=True)
    for name in (METRICS, EVALUATION):
        drop_after(workdir / name, step)

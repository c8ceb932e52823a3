"""What makes a workdir the same run again: run.json, DONE, and its log files."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from stemjax.config.runs import CommonRun, first_difference, resolved, run_id
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.train.metrics import EVALUATION, METRICS, drop_after

RUN = "run.json"
DONE = "DONE"
FORMAT = 1


def claim(
    workdir: pathlib.Path,
    kind: str,
    run: CommonRun,
    identity: Mapping[str, Any],
    about: Mapping[str, Any],
) -> None:
    """Write run.json in a new workdir; in an old one, check that it is the same run.

    Args:
      kind: the task's name.
      identity: what else decides what is learned: digests of codec and data.
      about: what else is worth keeping (where the codec lay); may change.

    Raises:
      UserError: another run lives there; names the field.
    """
    now = {
        "format": FORMAT,
        "kind": kind,
        "id": run_id(run),
        "run": resolved(run),
        "identity": dict(identity),
        "about": dict(about),
    }
    path = workdir / RUN
    if not path.is_file():
        workdir.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(now, indent=2, sort_keys=True) + "\n")
        return
    saved = read_run(workdir)
    if saved["kind"] != kind:
        raise UserError(f"{path}: field 'kind' is {saved['kind']!r}, not {kind!r}")
    plain = json.loads(json.dumps(now))  # tuples become lists, as in the file
    field = first_difference(saved["run"], plain["run"]) or first_difference(
        saved["identity"], plain["identity"]
    )
    if field:
        raise UserError(
            f"{path}: field {field!r} differs from this command;"
            " give the same setting or another --workdir"
        )
    write_text(path, json.dumps(now, indent=2, sort_keys=True) + "\n")


def read_run(workdir: pathlib.Path) -> dict[str, Any]:
    """The workdir's run.json.

    Raises:
      UserError: missing, broken, or of another format.
    """
    path = pathlib.Path(workdir) / RUN
    if not path.is_file():
        raise UserError(f"{workdir}: no {RUN}; give a training workdir")
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{path}: not valid JSON; restore it from a copy") from None
    if saved.get("format") != FORMAT:
        raise UserError(
            f"{path}: format {saved.get('format')!r} is not {FORMAT};"
            " use the stemjax version that wrote it"
        )
    return saved


def finished(workdir: pathlib.Path, steps: int) -> str | None:
    """Why the run is over (a sentence), or None where there is work left."""
    path = workdir / DONE
    if not path.is_file():
        return None
    done = json.loads(path.read_text(encoding="utf-8"))
    if done["reason"] == "steps" and done["step"] < steps:
        return None  # asked for more steps than were done
    return f"{workdir}: finished at step {done['step']} ({done['reason']})"


def mark_done(workdir: pathlib.Path, step: int, reason: str) -> None:
    """Write DONE, the last thing that a run does."""
    write_text(workdir / DONE, json.dumps({"step": step, "reason": reason}) + "\n")


def rewind(workdir: pathlib.Path, step: int) -> None:
    """Drop log lines past the restored step, so that each step is logged once."""
    (workdir / DONE).unlink(missing_ok=True)
    for name in (METRICS, EVALUATION):
        drop_after(workdir / name, step)

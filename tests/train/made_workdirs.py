"""Workdirs as training leaves them, made by hand at a fixed time."""

import json
import os

from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY
from stemjax.config.runs import resolved, run_id
from stemjax.config.train_sweeps import changed
from stemjax.train import heartbeat

NOW = 1_800_000_000.0


def make(
    workdir, overrides=(), *, run=STEMGEN_TINY, losses=(), evals=(), beat=None, age=0.0
):
    """A workdir as training leaves it: beat is (seconds ago, step, state)."""
    run = changed(run, overrides)
    kind = "codec" if run.model == CODEC_TINY.model else "stemgen"
    workdir.mkdir(parents=True)
    saved = {
        "format": 1,
        "kind": kind,
        "id": run_id(run),
        "run": resolved(run),
        "identity": {"data": "ab" * 32, "codec": "", "init_from": ""},
        "about": {},
    }
    (workdir / "run.json").write_text(json.dumps(saved, sort_keys=True))
    for name, lines in (("metrics.jsonl", losses), ("eval.jsonl", evals)):
        if lines:
            (workdir / name).write_text("".join(json.dumps(x) + "\n" for x in lines))
    for name in ("run.json", "metrics.jsonl"):
        if (workdir / name).is_file():
            os.utime(workdir / name, (NOW - age, NOW - age))
    if beat:
        seconds, step, state = beat
        heartbeat.write(workdir, step, state, clock=lambda: NOW - seconds)
    return workdir


def fail(workdir, *, seconds, step):
    """A report of a step that was not finite, written `seconds` ago."""
    path = workdir / "nonfinite" / "report.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"step": step}))
    os.utime(path, (NOW - seconds, NOW - seconds))

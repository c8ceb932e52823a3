"""`train.py PRESET --sweep` and `train.py runs` as a user runs them."""

import json
import time

import pytest

import stemjax.cli.train.train as training
from stemjax.config.presets import PRESETS
from stemjax.config.runs import resolved
from stemjax.config.train_sweeps import SWEEPS, apply
from stemjax.train import heartbeat, processes
from stemjax.train.resume import mark_done
from tests.entry.programs import run
from tests.entry.train_in_process import train

pytestmark = pytest.mark.entry


WITHOUT_JAX = """
import sys
from stemjax.cli.train import main as train
try: train.main(sys.argv[1:])
except SystemExit as ending: print("exit", ending.code)
print("loaded", sorted({"jax", "tensorflow"} & set(sys.modules)))
"""


def lines_and_error(*args, code=0):
    """Lines on stdout, and stderr, of a command that exits with `code`."""
    output = train(*args, code=code)
    return output.stdout.splitlines(), output.stderr


def test_the_table_of_a_sweep_is_instant():
    """And loads no jax."""
    done = run("-c", WITHOUT_JAX, "stemgen-mini", "--sweep", "hundred")
    *lines, exit_code, loaded = done.stdout.splitlines()
    assert (exit_code, loaded) == ("exit 2", "loaded []")
    assert done.stderr == (
        "error: --sweep hundred: give --index 0..99, one for each job\n"
    )
    assert len(lines) == 102 and lines[0].startswith("hundred: ")
    assert lines[1].split() == (
        "index optim.peak_lr objective.context_dropout seed".split()
    )
    assert lines[-1].split() == ["99", "0.004", "0.4", "4"]
    dry_run = lines_and_error("stemgen-mini", "--sweep", "hundred", "--dry-run")
    assert dry_run == (lines, "")


def test_bad_flags_get_one_line(tmp_path):
    grid = tmp_path / "mine.toml"
    grid.write_text("axes.optim.peak_lr = [1e-3, 'high']\n")
    for args, message in (
        (("--index", "3"), "error: --index 3: give --sweep NAME too\n"),
        (
            ("--sweep", "hundred", "--index", "100"),
            "error: --index 100: sweep 'hundred' has runs 0..99\n",
        ),
        (
            ("--sweep", grid, "--index", "0"),
            f"error: --sweep {grid}: run 1: field optim.peak_lr: expected a number, got"
            ' "high"\n',
        ),
        (
            ("--sweep", "none"),
            f"error: --sweep none: one of {', '.join(SWEEPS)}, or a .toml file\n",
        ),
        (
            ("--sweep", "hundred", "--index", "1"),
            "error: train stemgen-mini: give --workdir DIR\n",
        ),
    ):
        assert lines_and_error("stemgen-mini", *args, code=2)[1] == message


@pytest.mark.slow
def test_a_dry_run_plans_one_run_of_a_sweep():
    """The plan is that of the sweep's run: its last size is the paper's."""
    flags = ("stemgen-mini", "--sweep", "scale", "--index", 20, "--dry-run")
    first, *_, plan = train(*flags).stdout.splitlines()
    assert first.startswith("scale/020: model.transformer.width 1024, ")
    assert 245e6 <= json.loads(plan)["backbone_params"] <= 265e6


def test_runs_of_a_sweep_are_gathered(tmp_path):
    sweep = SWEEPS["learning-rate"]
    for index in range(4):
        workdir = tmp_path / sweep.name / f"{index:03d}"
        workdir.mkdir(parents=True)
        config = resolved(apply(PRESETS["stemgen-mini"].run, sweep, index))
        saved = {"format": 1, "kind": "stemgen", "id": "0" * 12, "run": config}
        (workdir / "run.json").write_text(json.dumps(saved, sort_keys=True))
        best = {"step": 500, "accuracy": (index + 1) / 8}
        (workdir / "eval.jsonl").write_text(json.dumps(best) + "\n")
        heartbeat.write(
            workdir,
            600,
            heartbeat.RunPhase.RUNNING,
            lambda i=index: time.time() - 400 * i,
        )
    mark_done(tmp_path / sweep.name / "000", 3300, "steps")
    lines, error = lines_and_error("runs", tmp_path, "--stale", "500")
    assert error == ""
    assert "  stop: patience_steps=20000" in lines
    start = lines.index("", 1) + 1
    assert lines[start].split()[:3] == ["run", "seed", "step"]
    rows = [line.split() for line in lines[start + 1 : start + 5]]
    assert [(r[0], r[2], r[4], r[-1]) for r in rows] == [
        ("learning-rate/003", "600/3300", "0.5000", "died"),
        ("learning-rate/002", "600/3300", "0.3750", "died"),
        ("learning-rate/001", "600/3300", "0.2500", "running"),
        ("learning-rate/000", "3300/3300", "0.1250", "(steps)"),
    ]
    assert lines[-1] == "died: learning-rate/002 learning-rate/003"
    text = train("runs", tmp_path, "--json", "--sort", "path").stdout
    states = [r["state"] for r in json.loads(text)["runs"]]
    assert states == ["done (steps)", "running", "died", "died"]
    none = tmp_path / "none"
    assert lines_and_error("runs", none, code=2)[1] == (
        f"error: {none}: no run below it; a workdir has a run.json\n"
    )


def test_a_run_of_a_sweep_trains_in_its_folder(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(training, "train", lambda *args: calls.append(args) or 0)
    monkeypatch.setattr(processes, "join", lambda invocation: None)
    flags = ("--sweep", "learning-rate", "--index", "7", "--steps", "1")
    train("codec-tiny", *flags, "--workdir", tmp_path)
    ((preset, one, invocation),) = calls
    assert preset is PRESETS["codec-tiny"]
    assert invocation.workdir == f"{tmp_path}/learning-rate/007"
    assert (one.optim.peak_lr, one.seed, one.steps) == (5e-4, 2, 1)

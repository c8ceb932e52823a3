"""`train.py PRESET --sweep` and `train.py runs` as a user runs them."""

import json
import time

import pytest

import train as train_script
from stemjax.config.presets import PRESETS
from stemjax.config.runs import resolved
from stemjax.config.train_sweeps import SWEEPS, apply
from stemjax.train import heartbeat, processes
from stemjax.train.resume import mark_done
from tests.entry.programs import run

pytestmark = pytest.mark.entry


def train(*args, code=0):
    return run("train.py", *args, code=code)


WITHOUT_JAX = """
import sys, train
try: train.main(sys.argv[1:])
except SystemExit as ending: print("exit", ending.code)
print("loaded", sorted({"jax", "tensorflow"} & set(sys.modules)))
"""


def light(*args):
    """Lines printed and the exit code of a command that must load no jax."""
    done = run("-c", WITHOUT_JAX, *args)
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "loaded []"
    is_exit = lines[-1:] and lines[-1].startswith("exit ")
    code = int(lines.pop().split()[1]) if is_exit else 0
    return lines, code, done.stderr


def test_the_table_of_a_sweep_is_instant():
    lines, code, said = light("stemgen-mini", "--sweep", "hundred")
    assert code == 2 and said == (
        "error: --sweep hundred: give --index 0..99, one for each job\n"
    )
    assert len(lines) == 102 and lines[0].startswith("hundred: ")
    assert lines[1].split() == (
        "index optim.peak_lr objective.context_dropout seed".split()
    )
    assert lines[-1].split() == ["99", "0.004", "0.4", "4"]
    dry, code, said = light("stemgen-mini", "--sweep", "hundred", "--dry-run")
    assert (dry, code, said) == (lines, 0, "")


def test_what_is_asked_wrongly_is_said_before_anything_is_loaded(tmp_path):
    grid = tmp_path / "mine.toml"
    grid.write_text("axes.optim.peak_lr = [1e-3, 'high']\n")
    for args, said in (
        (("--index", "3"), "error: --index 3: give --sweep NAME too\n"),
        (
            ("--sweep", "hundred", "--index", "100"),
            "error: --index 100: sweep 'hundred' has runs 0..99\n",
        ),
        (
            ("--sweep", grid, "--index", "0"),
            f"error: --sweep {grid}: run 1: optim.peak_lr: 'high' should be float\n",
        ),
        (
            ("--sweep", "none"),
            f"error: --sweep none: one of {', '.join(SWEEPS)}, or a .toml file of your"
            " own\n",
        ),
        (
            ("--sweep", "hundred", "--index", "1"),
            "error: train.py stemgen-mini: give --workdir DIR\n",
        ),
    ):
        assert light("stemgen-mini", *args)[1:] == (2, said)


def test_one_run_of_a_sweep_is_planned():
    """The plan is that of the sweep's run: its last size is the paper's."""
    asked = ("stemgen-mini", "--sweep", "scale", "--index", 20, "--dry-run")
    first, *_, plan = train(*asked).stdout.splitlines()
    assert first.startswith("scale/020: model.transformer.width 1024, ")
    assert 245e6 <= json.loads(plan)["backbone_params"] <= 265e6


def test_runs_of_a_sweep_are_gathered(tmp_path):
    sweep = SWEEPS["learning-rate"]
    for index in range(4):
        workdir = tmp_path / sweep.name / f"{index:03d}"
        workdir.mkdir(parents=True)
        config = resolved(apply(PRESETS["stemgen-mini"], sweep, index))
        saved = {"format": 1, "kind": "stemgen", "run": config, "identity": {}}
        (workdir / "run.json").write_text(json.dumps(saved, sort_keys=True))
        best = {"step": 500, "accuracy": (index + 1) / 8}
        (workdir / "eval.jsonl").write_text(json.dumps(best) + "\n")
        heartbeat.write(
            workdir, 600, heartbeat.State.RUNNING, lambda i=index: time.time() - 400 * i
        )
    mark_done(tmp_path / sweep.name / "000", 3300, "steps")
    lines, code, said = light("runs", tmp_path, "--stale", "500")
    assert (code, said) == (0, "")
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
    text, code, _ = light("runs", tmp_path, "--json", "--sort", "path")
    states = [r["state"] for r in json.loads("\n".join(text))["runs"]]
    assert code == 0 and states == ["done (steps)", "running", "died", "died"]
    none = tmp_path / "none"
    assert light("runs", none)[1:] == (
        2,
        f"error: {none}: no run below it; a workdir has a run.json\n",
    )


def test_a_run_of_a_sweep_trains_in_its_own_folder(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(train_script, "train", lambda *run: trained.append(run) or 0)
    monkeypatch.setattr(processes, "join", lambda run: None)
    asked = ("--sweep", "learning-rate", "--index", "7", "--steps", "1")
    with pytest.raises(SystemExit, match="0"):
        train_script.main(["codec-tiny", *asked, "--workdir", str(tmp_path)])
    ((preset, one),) = trained
    assert preset == "codec-tiny"
    assert one.workdir == f"{tmp_path}/learning-rate/007"
    assert (one.optim.peak_lr, one.seed, one.steps) == (5e-4, 2, 1)

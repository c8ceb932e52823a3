"""`train.py runs`: workdirs made by hand, in every state, at a fixed time."""

import json
import os

import pytest

from stemjax.config.presets import CODEC_TINY
from stemjax.io.errors import UserError
from stemjax.train import heartbeat
from stemjax.train.heartbeat import Heartbeat
from stemjax.train.resume import mark_done
from stemjax.train.sweeps import runs, runs_table
from stemjax.train.sweeps.runs import RunRecord, RunStatus, gather
from stemjax.train.sweeps.runs_table import ordered, report, shared_and_differing
from tests.train.made_workdirs import NOW, fail, make

STALE = 600.0


def state_of(workdir) -> RunStatus:
    (record,), faults = gather(workdir, now=NOW, stale=STALE)
    assert faults == [] and record.path == "."
    return record.state


ALIVE, SAVED = heartbeat.RunPhase.RUNNING, heartbeat.RunPhase.SAVED


def test_a_heartbeat_comes_back_as_it_was_written(tmp_path):
    heartbeat.write(tmp_path, 7, SAVED, clock=lambda: 12.5)
    beat = heartbeat.read(tmp_path)
    assert beat == Heartbeat(12.5, 7, os.uname().nodename, os.getpid(), SAVED)
    assert json.loads((tmp_path / "heartbeat.json").read_text())["state"] == "saved"
    (tmp_path / "heartbeat.json").write_text("{")
    with pytest.raises(UserError, match="heartbeat.json: not JSON"):
        heartbeat.read(tmp_path)
    assert heartbeat.read(tmp_path / "none") is None


@pytest.mark.parametrize(
    "beat, age, wanted",
    [
        ((STALE, 5, ALIVE), 9e9, RunStatus.RUNNING),
        ((STALE + 1, 5, ALIVE), 0, RunStatus.DIED),
        ((-30, 5, ALIVE), 0, RunStatus.RUNNING),  # a clock that is ahead
        ((9e6, 5, SAVED), 9e6, RunStatus.WAITING),
        (None, STALE, RunStatus.RUNNING),  # it starts
        (None, STALE + 1, RunStatus.DIED),
    ],
)
def test_signs_of_life(tmp_path, beat, age, wanted):
    lines = [{"step": 4, "loss": 1.0}]
    assert state_of(make(tmp_path / "a", losses=lines, beat=beat, age=age)) is wanted


def test_done_is_done_whatever_the_heartbeat_says(tmp_path):
    workdir = make(tmp_path / "a", beat=(9e6, 19, ALIVE))
    fail(workdir, seconds=9e6, step=3)  # an earlier start
    mark_done(workdir, 20, "steps")
    assert state_of(workdir) is RunStatus.DONE_STEPS
    mark_done(workdir, 12, "no better validation")
    assert state_of(workdir) is RunStatus.DONE_EARLY


def test_more_steps_were_asked_for_since(tmp_path):
    workdir = make(tmp_path / "a", (("steps", 30),), beat=(5, 21, ALIVE))
    mark_done(workdir, 20, "steps")
    assert state_of(workdir) is RunStatus.RUNNING


def test_a_report_counts_until_the_run_lives_again(tmp_path):
    workdir = make(tmp_path / "a", beat=(100, 7, ALIVE))
    fail(workdir, seconds=90, step=7)
    assert state_of(workdir) is RunStatus.NONFINITE
    # the host's clock and the storage's are not the same
    heartbeat.write(workdir, 7, ALIVE, clock=lambda: NOW - 60)
    assert state_of(workdir) is RunStatus.NONFINITE
    heartbeat.write(workdir, 5, ALIVE, clock=lambda: NOW - 10)
    assert state_of(workdir) is RunStatus.RUNNING
    bare = make(tmp_path / "b")
    fail(bare, seconds=0, step=7)
    assert state_of(bare) is RunStatus.NONFINITE


DAMAGE = {
    "run.json": ('{"format": 1', "run.json: not JSON"),
    "metrics.jsonl": ('{"step": 1}\n{"step": "two"}\n', "line 2: field step: expected"),
    "eval.jsonl": ('{"loss": 1}\n', "eval.jsonl, line 1: no whole number 'step'"),
    "DONE": ('{"step": 3}', "DONE: field reason: missing"),
    "heartbeat.json": ('{"time": "now"}', "heartbeat.json: field "),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_one_damaged_workdir_is_named_and_the_others_are_read(tmp_path, name):
    content, said = DAMAGE[name]
    for workdir in ("a", "b", "c"):
        make(tmp_path / workdir, beat=(5, 3, ALIVE))
    (tmp_path / "b" / name).write_text(content)
    records, faults = gather(tmp_path, now=NOW, stale=STALE)
    assert [record.path for record in records] == ["a", "c"]
    (fault,) = faults
    assert said in fault and str(tmp_path / "b") in fault and "\n" not in fault
    assert f"not read: {fault}" in report(tmp_path, now=NOW, stale=STALE)


def test_numbers_of_a_run(tmp_path):
    evals = [
        {"step": 10, "loss": 5.0, "accuracy": 0.25},
        {"step": 20, "loss": 4.0, "accuracy": 0.5},
        {"step": 30, "loss": 3.0, "accuracy": 0.5},
        {"step": 40, "loss": 3.5, "accuracy": 0.125},
    ]
    losses = [{"step": 39, "loss": 3.25}, {"step": 40, "loss": 3.5, "mfu": 0.5}]
    workdir = make(
        tmp_path / "a",
        (("steps", 90), ("optim.peak_lr", 0.5)),
        losses=losses,
        evals=evals,
        beat=(3, 43, ALIVE),
    )
    with open(workdir / "metrics.jsonl", "a") as file:
        file.write('{"step": 41, "lo')  # cut off
    for name in ("5", "40", "45.orbax-checkpoint-tmp"):
        (workdir / "checkpoints" / name).mkdir(parents=True)
    ((record,), _) = gather(tmp_path, now=NOW, stale=STALE)
    assert (record.path, record.kind) == ("a", "stemgen")
    assert (record.step, record.steps, record.loss) == (43, 90, 3.5)
    assert (record.metric, record.best, record.best_step) == ("accuracy", 0.5, 20)
    assert (record.checkpoint, record.seen) == (40, NOW - 3)
    assert record.settings["optim.peak_lr"] == 0.5
    assert record.settings["identity.data"] == "ab" * 32
    assert record.settings["model.transformer.width"] == 64


def test_a_codecs_best_is_its_lowest_distance(tmp_path):
    evals = [{"step": s, "mel": m} for s, m in ((1, 3.0), (2, 1.5), (3, 2.0))]
    make(tmp_path / "a", run=CODEC_TINY, evals=evals)
    ((record,), _) = gather(tmp_path, now=NOW, stale=STALE)
    assert (record.metric, record.best, record.best_step) == ("mel", 1.5, 2)


def test_a_run_that_never_started_has_no_numbers(tmp_path):
    make(tmp_path / "a", age=5)
    ((record,), _) = gather(tmp_path, now=NOW, stale=STALE)
    assert (record.step, record.loss, record.best, record.best_step) == (0, *[None] * 3)
    assert (record.checkpoint, record.seen) == (None, NOW - 5)


def test_runs_are_found_at_any_depth_and_never_inside_a_runs_own_folders(tmp_path):
    make(tmp_path / "top")
    make(tmp_path / "top" / "grid" / "001")  # a sweep below a run's workdir
    make(tmp_path / "deep" / "er" / "002")
    for inside in runs.INSIDE:
        make(tmp_path / "top" / inside / "x")
    (tmp_path / "link").symlink_to(tmp_path)
    records, faults = gather(tmp_path, now=NOW, stale=STALE)
    assert [r.path for r in records] == ["deep/er/002", "top", "top/grid/001"]
    assert faults == []


def test_one_broken_workdir_does_not_hide_the_others(tmp_path):
    make(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.json").write_text("{")
    records, (fault,) = gather(tmp_path, now=NOW, stale=STALE)
    assert [r.path for r in records] == ["a"]
    assert "b/run.json: not JSON" in fault
    text = report(tmp_path, stale=STALE, now=NOW)
    assert text.splitlines()[-1] == f"not read: {fault}"


def record(
    path, best, state=RunStatus.RUNNING, kind="stemgen", metric="accuracy", **more
):
    settings = {"seed": 0, "optim.peak_lr": 1e-3, "steps": 20} | more
    return RunRecord(
        path=path,
        kind=kind,
        settings=settings,
        step=5,
        steps=20,
        loss=None if best is None else 1.0 - best,
        metric=metric,
        best=best,
        best_step=4,
        checkpoint=None,
        seen=NOW,
        state=state,
    )


def test_what_differs():
    four = [
        record("a", 0.5, seed=1),
        record("b", 0.5, seed=2, steps=30),
        record("c", 0.5, **{"optim.peak_lr": 1e-3, "new": [1, 2]}),
    ]
    assert shared_and_differing(four) == ({"optim.peak_lr": 1e-3}, ["seed", "new"])
    assert shared_and_differing(four[:1]) == ({"seed": 1, "optim.peak_lr": 1e-3}, [])
    assert shared_and_differing([]) == ({}, [])


def test_orders():
    some = [
        record("a", None, RunStatus.DIED),
        record("b", 0.1, RunStatus.DONE_STEPS, seed=3),
        record("c", 0.9, RunStatus.RUNNING, seed=1),
        record("e", 9.0, kind="codec", metric="mel", seed=7),
        record("d", 2.0, kind="codec", metric="mel", seed=8),
    ]

    def names(sort, which=some):
        return "".join(r.path for r in ordered(which, sort))

    assert names("best") == "decba"  # high accuracy, low distance
    assert names("path") == "deabc"
    assert names("state") == "debca"
    assert names("loss", some[:3]) == "cba"
    assert names("seed") == "edacb"
    with pytest.raises(UserError, match="--sort rate: one of best, state, path"):
        ordered(some, "rate")
    mixed = [record("a", 1.0, x="b"), record("b", 1.0, x=2), record("c", 1.0, x="a")]
    assert names("x", mixed) == "bca"


@pytest.fixture
def sweep(tmp_path):
    """Six runs of a sweep, one in each state."""

    def one(name, rate, accuracy, **more):
        evals = [{"step": 10, "accuracy": accuracy}]
        losses = [{"step": 10, "loss": 5 - accuracy}]
        changes = (("optim.peak_lr", rate), ("seed", int(name)))
        return make(tmp_path / name, changes, evals=evals, losses=losses, **more)

    mark_done(one("000", 1e-3, 0.25, beat=(9000, 20, ALIVE)), 20, "steps")
    mark_done(one("001", 2e-3, 0.5, beat=(300, 15, ALIVE)), 15, "no better validation")
    one("002", 1e-3, 0.125, beat=(5, 12, ALIVE))
    one("003", 1e-3, 0.375, beat=(8000, 12, SAVED))
    one("004", 2e-3, 0.0625, beat=(200_000, 12, ALIVE))
    fail(one("005", 2e-3, 0.03125, beat=(20, 11, ALIVE)), seconds=19, step=11)
    return tmp_path


def test_the_table(sweep):
    text = report(sweep, stale=STALE, now=NOW)
    shared, lines, states = text.split("\n\n")
    assert shared.startswith("the same in all stemgen runs:\n")
    assert "  stop: patience_steps=20000\n" in shared and "peak_lr" not in shared
    assert f"data={'ab' * 6}" in shared
    assert lines.splitlines() == [
        "run  optim.peak_lr  seed  step     loss  best accuracy  at  saved  seen       "
        "state",
        "001          0.002     1  15/20  4.5000         0.5000  10      -  5 min ago  "
        "done (early stop)",
        "003          0.001     3  12/20  4.6250         0.3750  10      -  2 h ago    "
        "waiting (saved on SIGTERM)",
        "000          0.001     0  20/20  4.7500         0.2500  10      -  2 h ago    "
        "done (steps)",
        "002          0.001     2  12/20  4.8750         0.1250  10      -  5 s ago    "
        "running",
        "004          0.002     4  12/20  4.9375         0.0625  10      -  2 d ago    "
        "died",
        "005          0.002     5  11/20  4.9688         0.0312  10      -  20 s ago   "
        "non-finite",
    ]
    assert states.splitlines() == [
        "6 runs: 1 done (steps), 1 done (early stop), 1 running,"
        " 1 waiting (saved on SIGTERM), 1 died, 1 non-finite",
        "waiting (saved on SIGTERM): 003",
        "died: 004",
        "non-finite: 005",
    ]


def test_two_kinds_are_two_tables(sweep):
    make(sweep / "codec", run=CODEC_TINY, evals=[{"step": 2, "mel": 1.5}])
    parts = report(sweep, stale=STALE, now=NOW).split("\n\n")
    assert len(parts) == 5 and parts[0].startswith("the same in all codec runs:")
    assert parts[1].splitlines()[0].split() == (
        "run step loss best mel at saved seen state".split()
    )
    assert parts[-1].startswith("7 runs: ")


def test_json_says_the_same(sweep):
    text = report(sweep, stale=STALE, sort="seed", is_json=True, now=NOW)
    whole = json.loads(text)
    assert whole["differing"] == ["optim.peak_lr", "seed"]
    assert whole["shared"]["batch_size"] == 4 and whole["not_read"] == []
    assert [r["settings"]["seed"] for r in whole["runs"]] == [0, 1, 2, 3, 4, 5]
    assert [r["state"] for r in whole["runs"]] == [s.value for s in RunStatus]
    assert whole["runs"][1] == {
        "path": "001",
        "kind": "stemgen",
        "step": 15,
        "steps": 20,
        "loss": 4.5,
        "metric": "accuracy",
        "best": 0.5,
        "best_step": 10,
        "checkpoint": None,
        "seen": NOW - 300,
        "state": "done (early stop)",
        "settings": {"optim.peak_lr": 0.002, "seed": 1},
    }


def test_no_run_is_said(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(
            UserError, match="no run below it; a workdir has a run.json"
        ):
            runs_table.report(folder, stale=STALE, now=NOW)

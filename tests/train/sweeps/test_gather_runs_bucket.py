"""`train.py runs gs://...`, against a stand-in for Google's storage on this machine."""

import pytest

from stemjax.io.remote import publish
from stemjax.train import heartbeat
from stemjax.train.resume import mark_done
from stemjax.train.sweeps.runs import State, gather
from tests.fake_gcs import FakeStorage
from tests.train.made_workdirs import NOW, fail, make

pytest.importorskip("gcsfs")


def test_runs_in_a_bucket(tmp_path, monkeypatch):
    alive = heartbeat.State.RUNNING
    evals = [{"step": 10, "accuracy": 0.25}]
    for name in ("done", "run", "bad", "dead"):
        make(tmp_path / name, evals=evals, losses=[{"step": 12, "loss": 2.0}])
        for step, file in (("12", "commit_success.txt"), ("14", "half")):
            (tmp_path / name / "checkpoints" / step).mkdir(parents=True)
            (tmp_path / name / "checkpoints" / step / file).write_text("x")
    fail(tmp_path / "bad", seconds=0, step=12)
    with FakeStorage("bucket") as storage:
        storage.serve(monkeypatch)
        root = "gs://bucket/sweep"
        publish(tmp_path, root)
        mark_done(f"{root}/done", 20, "steps")
        for name, age in (("done", 9e6), ("run", 5), ("dead", 9e6)):
            heartbeat.write(f"{root}/{name}", 13, alive, clock=lambda a=age: NOW - a)
        records, faults = gather(root, now=NOW, stale=600.0)
    assert faults == []
    assert {r.path: r.state for r in records} == {
        "bad": State.NONFINITE,
        "dead": State.DIED,
        "done": State.DONE_STEPS,
        "run": State.RUNNING,
    }
    assert [r.step for r in records] == [12, 13, 20, 13]
    assert all((r.best, r.loss, r.checkpoint) == (0.25, 2.0, 12) for r in records)

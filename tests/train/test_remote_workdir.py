"""A workdir in a bucket, against a stand-in for Google's storage on this machine."""

import contextlib
import dataclasses
import io
import json
import pathlib

import pytest

from stemjax.train import metrics
from stemjax.train.loop import TrainingOutcome, TrainingParts, fit
from stemjax.train.resume import finished, read_run
from tests.fake_gcs import FakeStorage
from tests.train import toy
from tests.train.launch import PAUSE, STEPS, assert_same_end, start, wait_for

pytest.importorskip("gcsfs")
pytestmark = pytest.mark.slow
WORKDIR = "gs://bucket/runs/toy"
COMMITTED = "runs/toy/checkpoints/2/commit_success.txt"
PART = "runs/toy/metrics/0000000001.jsonl"
RUN = dataclasses.replace(toy.RUN, steps=STEPS)


def go(workdir) -> str:
    """Train to the end in this process; returns what was printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        parts = TrainingParts(
            task=toy.TASK,
            run=RUN,
            frozen=toy.FROZEN,
            train_batches=toy.train_batches(RUN.batch_size),
            eval_batches=toy.eval_batches(RUN.batch_size),
        )
        outcome = fit(parts, workdir)
    assert outcome == TrainingOutcome.DONE
    return printed.getvalue()


@pytest.fixture(scope="module")
def storage():
    with FakeStorage("bucket") as storage, pytest.MonkeyPatch.context() as patch:
        storage.serve(patch)
        yield storage


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The same run in a local folder, in one go."""
    workdir = tmp_path_factory.mktemp("straight")
    go(workdir)
    return workdir


@pytest.fixture(scope="module")
def killed(storage):
    """Objects that a killed run left after a checkpoint, and the output of its restart."""

    def has_gone_past_a_checkpoint():
        part = storage.objects.get(("bucket", PART))
        return ("bucket", COMMITTED) in storage.objects and part.data.count(b"\n") > 2

    process = start(WORKDIR, pause=PAUSE)
    wait_for(has_gone_past_a_checkpoint, process)
    process.kill()
    process.communicate(timeout=600)
    left = {name: stored.data for (_, name), stored in storage.objects.items()}
    return left, go(WORKDIR)


def test_a_killed_run_goes_on_to_the_same_losses(straight, killed):
    left, output = killed
    steps = [json.loads(line)["step"] for line in left[PART].splitlines()]
    assert 3 <= len(steps) < STEPS and steps == list(range(1, len(steps) + 1))
    assert "runs/toy/DONE" not in left
    assert "resuming at step" in output
    assert_same_end(WORKDIR, straight)
    assert "finished at step 6" in finished(WORKDIR, STEPS)


def test_all_of_a_run_lies_in_the_bucket_and_nothing_beside_it(
    straight, killed, storage
):
    def places(names):
        return {name.split("/")[0] for name in names}

    here = [p.relative_to(straight).as_posix() for p in straight.rglob("*")]
    there = [n.removeprefix("runs/toy/") for n in storage.names("bucket", "runs/toy/")]
    parts = {"metrics.jsonl": "metrics", "eval.jsonl": "eval"}
    assert places(there) == {parts.get(n, n) for n in places(here)}
    assert not pathlib.Path("gs:").exists()
    assert read_run(WORKDIR).run == read_run(straight).run
    evaluated = metrics.read_lines(f"{WORKDIR}/{metrics.EVALUATION}")
    assert evaluated == metrics.read_lines(straight / metrics.EVALUATION)


def test_a_broken_newest_checkpoint_is_moved_out_and_the_one_before_taken(
    straight, killed, storage
):
    for name in storage.names("bucket", "runs/toy/checkpoints/6/model/"):
        data = storage.objects["bucket", name].data
        storage.put("bucket", name, data[: len(data) // 2])
    with storage.lock:
        del storage.objects["bucket", "runs/toy/DONE"]
    output = go(WORKDIR)
    assert "checkpoint 6 cannot be read" in output
    assert "resuming at step 4" in output
    assert storage.names("bucket", "runs/toy/broken/6/model/")
    assert_same_end(WORKDIR, straight)

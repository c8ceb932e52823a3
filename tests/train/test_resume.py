"""The same command again goes on, bit for bit; another command is refused."""

import dataclasses
import itertools
import json

import jax
import numpy as np
import pytest

from stemjax.config.train import StopConfig
from stemjax.io.errors import UserError
from stemjax.train import metrics
from stemjax.train.checkpoint import restore_params
from stemjax.train.loop import TrainingOutcome, TrainingParts, fit
from tests.train import toy


def go(workdir, run=toy.RUN, *, task=toy.TASK, train=None, evaluate=True, **more):
    parts = TrainingParts(
        task=task,
        run=run,
        frozen=toy.FROZEN,
        train_batches=train or toy.train_batches(run.batch_size),
        eval_batches=toy.eval_batches(run.batch_size) if evaluate else None,
        **more,
    )
    return fit(parts, workdir)


def steps_and_losses(workdir):
    lines = metrics.read_lines(workdir / metrics.METRICS)
    return [(line["step"], line["loss"]) for line in lines]


def weights(workdir):
    params, model_state, step = restore_params(workdir, newest=True)
    return jax.tree.map(np.asarray, (params, model_state)), step


def same(a, b):
    equal = jax.tree.map(np.array_equal, a, b)
    return all(jax.tree.leaves(equal))


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Four steps in one go."""
    workdir = tmp_path_factory.mktemp("straight")
    assert go(workdir) == TrainingOutcome.DONE
    return workdir


def test_four_steps_equal_two_then_two_bit_for_bit(straight, tmp_path):
    assert go(tmp_path, dataclasses.replace(toy.RUN, steps=2)) == TrainingOutcome.DONE
    half, step = weights(tmp_path)
    assert step == 2
    assert go(tmp_path) == TrainingOutcome.DONE
    whole, step = weights(straight)
    resumed, resumed_step = weights(tmp_path)
    assert (step, resumed_step) == (4, 4)
    assert same(whole, resumed) and not same(half, resumed)
    assert steps_and_losses(tmp_path) == steps_and_losses(straight)
    assert [s for s, _ in steps_and_losses(straight)] == [1, 2, 3, 4]


def test_means_between_lines_survive_a_resume(tmp_path):
    run = toy.with_loop(toy.RUN, log_every=4, eval_every=0)
    go(tmp_path / "a", run)
    go(tmp_path / "b", dataclasses.replace(run, steps=3))
    assert steps_and_losses(tmp_path / "b") == []
    go(tmp_path / "b", run)
    ((step, loss),) = steps_and_losses(tmp_path / "a")
    assert step == 4
    assert steps_and_losses(tmp_path / "b") == [(4, loss)]  # bitwise


def test_lines_past_the_restored_step_are_written_once(straight, tmp_path):
    go(tmp_path, dataclasses.replace(toy.RUN, steps=2))
    # a start that was killed after logging more than it saved, in mid-line
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 3, "loss": 99.0}\n{"step": 4, "lo')
    go(tmp_path)
    assert steps_and_losses(tmp_path) == steps_and_losses(straight)


def test_a_finished_run_says_so_and_does_nothing(straight, capsys):
    before = (straight / "metrics.jsonl").read_text()

    def no_batches(start):
        raise AssertionError("a finished run asks for no data")

    assert go(straight, train=no_batches) == TrainingOutcome.DONE
    assert "finished at step 4" in capsys.readouterr().out
    assert (straight / "metrics.jsonl").read_text() == before
    assert json.loads((straight / "DONE").read_text()) == {"step": 4, "reason": "steps"}


def test_another_config_is_refused_by_field(straight):
    optim = dataclasses.replace(toy.RUN.optim, peak_lr=0.1)
    with pytest.raises(UserError, match="'optim.peak_lr'"):
        go(straight, dataclasses.replace(toy.RUN, optim=optim))
    with pytest.raises(UserError, match="'data'"):
        go(straight, identity={"data": "other"})
    with pytest.raises(UserError, match="kind"):
        go(straight, task=toy.TASK._replace(name="codec"))


def test_cadence_and_accumulation_may_change(tmp_path):
    go(tmp_path, dataclasses.replace(toy.RUN, steps=1))
    go(tmp_path, toy.with_loop(toy.RUN, log_every=2, accumulate=2))
    assert [s for s, _ in steps_and_losses(tmp_path)] == [1, 2, 4]


# tensorstore reports the failed reads once more, to an event loop that orbax has closed
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("harm", ["truncate", "delete", "flip"])
def test_a_broken_newest_checkpoint_falls_back_to_the_one_before(
    straight, tmp_path, capsys, harm
):
    go(tmp_path)
    (tmp_path / "DONE").unlink()
    newest = tmp_path / "checkpoints" / "4" / "optimiser"
    blobs = sorted((newest / "d").iterdir()) or sorted(newest.rglob("d/*"))
    assert blobs
    for blob in [*blobs, *newest.rglob("ocdbt.process_0/d/*")]:
        data = blob.read_bytes()
        match harm:
            case "truncate":
                blob.write_bytes(data[: len(data) // 2])
            case "delete":
                blob.unlink()
            case "flip":
                blob.write_bytes(bytes(b ^ 0xFF for b in data))
    assert go(tmp_path) == TrainingOutcome.DONE
    printed = capsys.readouterr().out
    assert "checkpoint 4 cannot be read" in printed and "resuming at step 2" in printed
    assert same(weights(straight)[0], weights(tmp_path)[0])
    assert steps_and_losses(tmp_path) == steps_and_losses(straight)
    assert (tmp_path / "broken" / "4").is_dir()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_checkpoint_that_can_be_read_is_an_error(tmp_path):
    go(tmp_path, dataclasses.replace(toy.RUN, steps=1))
    for path in (tmp_path / "checkpoints").rglob("*"):
        if path.is_file() and path.parent.name == "d":
            path.write_bytes(b"")
    with pytest.raises(UserError, match="no checkpoint"):
        go(tmp_path)
    assert (tmp_path / "checkpoints" / "1").is_dir()  # nothing was moved


def test_the_newest_k_and_the_best_are_kept(tmp_path):
    run = dataclasses.replace(toy.with_loop(toy.RUN, checkpoint_every=1), steps=5)
    go(tmp_path, run)
    kept = {p.name for p in (tmp_path / "checkpoints").iterdir()}
    assert kept == {"4", "5"}
    lines = metrics.read_lines(tmp_path / metrics.EVALUATION)
    best = max(lines, key=lambda line: line["accuracy"])["step"]
    assert [p.name for p in (tmp_path / "best").iterdir()] == [str(best)]
    assert restore_params(tmp_path)[2] == best


def test_training_stops_when_validation_no_longer_rises(tmp_path):
    values = itertools.chain([0.1, 0.3, 0.2], itertools.repeat(0.25))
    seen = iter(values)

    def scores():
        (batch,) = toy.eval_batches(8)()
        yield batch | {"score": np.full(8, next(seen), np.float32)}

    def eval_sums(params, model_state, frozen, batch, key):
        return {"accuracy": (batch["score"].sum(), np.float32(8))}

    run = dataclasses.replace(
        toy.with_loop(toy.RUN, eval_every=1),
        steps=50,
        stop=StopConfig(patience_steps=3),
    )
    parts = TrainingParts(
        task=toy.TASK._replace(eval_sums=eval_sums),
        run=run,
        frozen=toy.FROZEN,
        train_batches=toy.train_batches(8),
        eval_batches=scores,
    )
    outcome = fit(parts, tmp_path)
    assert outcome == TrainingOutcome.DONE
    done = json.loads((tmp_path / "DONE").read_text())
    assert done == {"step": 5, "reason": "no better validation"}  # best at 2, + 3
    assert restore_params(tmp_path)[2] == 2


def test_a_non_finite_step_ends_the_run_with_a_report(straight, tmp_path):
    def poisoned(start):
        for step in itertools.count(start):
            batch = toy.batch(step, 8)
            if step == 3:
                batch["y"][0] = np.nan
            yield batch

    assert go(tmp_path, train=poisoned) == TrainingOutcome.NONFINITE == 3
    report = json.loads((tmp_path / "nonfinite" / "report.json").read_text())
    assert (report["step"], report["first_data_index"]) == (3, 24)
    assert [s for s, _ in steps_and_losses(tmp_path)] == [1, 2, 3]
    assert (tmp_path / "nonfinite" / "state" / "3").is_dir()
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"2"}
    assert not (tmp_path / "DONE").exists()
    # mended data: the same command goes on to the same end
    assert go(tmp_path) == TrainingOutcome.DONE
    assert same(weights(straight)[0], weights(tmp_path)[0])

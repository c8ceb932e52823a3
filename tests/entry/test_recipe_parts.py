"""Parts of recipes: schedules, time limits, the record, the parcel."""

import dataclasses
import json
import os
import sys
import time

import pytest

from recipes import ledger, parcel
from recipes.running import Clock, CommandFailed, run
from recipes.schedule import continuous_steps, rest_of, steps_that_fit, stretched
from recipes.stages import Product, Stage, seconds_for
from stemjax.config.presets import CODEC_TINY, STEMGEN_MINI
from stemjax.config.train import OptimConfig
from stemjax.io.errors import UserError
from stemjax.train.optim import learning_rate

OPTIM = OptimConfig(
    peak_lr=2e-3, warmup_steps=10, hold_steps=50, decay_steps=40, floor=0.1
)


def test_steps_fill_the_seconds_and_no_more():
    assert steps_that_fit(20.0, 100.0, 10_000) == 1_700  # 0.85 of 2000
    assert steps_that_fit(20.0, 100.0, 500) == 500
    assert steps_that_fit(0.01, 100.0, 500) == 10
    assert steps_that_fit(20.0, -5.0, 500) == 10


def test_a_schedule_is_stretched_in_all_its_stages():
    """stemgen-mini: 100 + 2000 + 1200 of 3300 steps."""
    optim = stretched(STEMGEN_MINI, 33_000)
    stages = (optim.warmup_steps, optim.hold_steps, optim.decay_steps)
    assert stages == (1_000, 20_000, 12_000)
    assert (optim.peak_lr, optim.floor) == (2e-3, 0.1)
    assert stretched(STEMGEN_MINI, 10).warmup_steps == 1


def test_a_codecs_steps_without_codes_are_stretched_too():
    objective = dataclasses.replace(CODEC_TINY.objective, continuous_steps=5)
    run = dataclasses.replace(CODEC_TINY, steps=20, objective=objective)
    assert [continuous_steps(run, 200, done) for done in (0, 30, 60)] == [50, 20, 0]
    assert continuous_steps(CODEC_TINY, 200, 0) is None
    assert continuous_steps(STEMGEN_MINI, 200, 0) is None


@pytest.mark.parametrize("done", [0, 5, 30, 60, 80, 99, 150])
def test_the_rest_of_a_schedule_joins_the_whole_one(done):
    """After its own warm-up the rest has the rates of the whole at the same places."""
    whole, rest = learning_rate(OPTIM), learning_rate(rest_of(OPTIM, done))
    assert float(rest(0)) == 0.0
    held = max(0, 10 - done)  # a warm-up that was cut short is made anew
    for step in (0, 3, 20, 39, 60):
        there = done + held + step
        assert float(rest(10 + step)) == pytest.approx(float(whole(there)), rel=1e-4)


def stage(minutes):
    return Stage(
        name="codec",
        preset="codec-tiny",
        minutes=minutes,
        most_steps=10,
        batch_size=2,
        product=Product("c", ""),
    )


def test_stages_that_do_not_fit_are_cut_alike_or_wait():
    """Two stages of 4 and 2 minutes; a reserve of 30 s each."""
    assert seconds_for(stage(4), 6, 500.0, 2) == 240.0
    assert seconds_for(stage(4), 6, 330.0, 2) == pytest.approx(180.0)
    assert seconds_for(stage(4), 6, 241.0, 2) == pytest.approx(120.67, abs=0.01)
    assert seconds_for(stage(4), 6, 239.0, 2) == 0.0
    assert seconds_for(stage(2), 2, 100.0, 1) == pytest.approx(70.0)


def python(text):
    return [sys.executable, "-c", text]


def test_a_command_ends_with_its_log(tmp_path):
    log = tmp_path / "logs" / "it.log"
    done = run(python("import os; print(os.environ['WHO'])"), log, 30,
               environment={"WHO": "me"})  # fmt: skip
    assert not done.is_stopped and log.read_text() == "me\n"


def test_bad_input_and_faults_of_a_command_are_told_apart(tmp_path):
    bad = "import sys; print('error: no such thing'); sys.exit(2)"
    with pytest.raises(UserError, match="^no such thing$"):
        run(python(bad), tmp_path / "a.log", 30, environment={})
    with pytest.raises(CommandFailed, match="b ended with code 1:\n.*(\n.*)*oh dear"):
        run(python("raise ValueError('oh dear')"), tmp_path / "b.log", 30,
            environment={})  # fmt: skip


LATE = """
import subprocess, sys, time
worker = "import pathlib, sys, time; time.sleep(2.5); pathlib.Path(sys.argv[1]).touch()"
subprocess.Popen([sys.executable, "-c", worker, sys.argv[1]])
time.sleep(60)
"""


def test_a_late_command_and_its_workers_are_stopped(tmp_path):
    mark = tmp_path / "worker"
    started = time.monotonic()
    late = [*python(LATE), str(mark)]
    done = run(late, tmp_path / "c.log", 1.0, environment={})
    assert done.is_stopped and time.monotonic() - started < 20
    time.sleep(3)
    assert not mark.exists()


def test_a_clock_runs_down_to_nothing():
    clock = Clock(1.0)
    assert 59 < clock.left() <= 60
    assert Clock(0.0).left() == 0.0


def test_the_record_is_kept_and_guarded(tmp_path):
    path = tmp_path / "w" / ledger.NAME
    book = ledger.Ledger(path, {"share": 1.0})
    assert book.is_new and book.facts("songs") == {} and not book.is_whole("songs")
    book.note("songs", is_whole=False, seconds=3)
    book.note("songs", is_whole=True)
    again = ledger.Ledger(path, {"share": 1.0})
    assert not again.is_new and again.is_whole("songs")
    assert again.facts("songs") == {"is_whole": True, "seconds": 3}
    with pytest.raises(UserError, match="made with --share 1.0, not 0.01"):
        ledger.Ledger(path, {"share": 0.01})
    path.write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        ledger.Ledger(path, {})
    path.write_text(json.dumps({"format": 9}))
    with pytest.raises(UserError, match="of format 1"):
        ledger.Ledger(path, {})


def test_a_parcel_comes_back_whole_or_is_refused(tmp_path):
    folder, out = tmp_path / "bundle", tmp_path / "out"
    (folder / "codec").mkdir(parents=True)
    content = os.urandom(250_000)
    (folder / "codec" / "model.safetensors").write_bytes(content)
    (folder / "progress.json").write_text("{}")
    parts = parcel.pack(folder, out, part_bytes=100_000)
    assert [part.name for part in parts] == [f"bundle.tar.{i:02d}" for i in range(3)]
    assert all(part.stat().st_size <= 100_000 for part in parts)
    assert sorted(p.name for p in out.iterdir()) == [part.name for part in parts]
    parcel.check_out(out)
    for number, source in enumerate((out, folder)):
        back = tmp_path / f"back{number}"
        parcel.unpack(source, back)
        assert (back / "codec" / "model.safetensors").read_bytes() == content
    assert len(parcel.pack(folder, out, part_bytes=1_000_000)) == 1
    assert len(list(out.iterdir())) == 1  # older parts are gone
    parcel.pack(folder, out, part_bytes=100_000)
    (out / "bundle.tar.01").unlink()
    with pytest.raises(UserError, match="bring all of its parts"):
        parcel.unpack(out, tmp_path / "short")
    assert not (tmp_path / "short").exists()
    (out / "notes.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        parcel.check_out(out)

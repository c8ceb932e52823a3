"""run.json of stemjax 0.1.0: the same commands still resume those workdirs."""

import dataclasses
import json
import pathlib

import pytest

from stemjax.config.presets import CODEC_TINY, PRESETS, fit_to_codec
from stemjax.config.runs import CommonRun, StemGenRun, resolved, run_id
from stemjax.io.errors import UserError
from stemjax.train import resume

SAVED = json.loads(pathlib.Path(__file__).with_name("saved_runs.json").read_text())


def run_of(preset):
    """The run of `train.py PRESET --steps 6`."""
    run = dataclasses.replace(PRESETS[preset].run, steps=6)
    if isinstance(run, StemGenRun):
        shape = fit_to_codec(run.model, CODEC_TINY.model)
        run = dataclasses.replace(run, model=shape)
    return run


def claim(workdir, saved, run):
    identity, about = saved["identity"], saved["about"]
    resume.claim(workdir, saved["kind"], run, identity, about)


def without(saved, *path):
    """A copy of run.json without one field."""
    copy = json.loads(json.dumps(saved))
    holder = copy
    for name in path[:-1]:
        holder = holder[name]
    del holder[path[-1]]
    return copy


@pytest.mark.parametrize("preset", SAVED)
def test_a_field_that_is_newer_than_the_run_has_its_default(preset, tmp_path):
    """run.json of an older version: it lacks fields, and keeps its id."""
    run, path = run_of(preset), tmp_path / "run.json"
    saved = SAVED[preset] | {"id": "0123456789ab"}
    for lacking in (("run", "ema_decay"), ("run", "stop"), ("run", "optim", "beta1")):
        default = CommonRun(steps=1, batch_size=1)
        for name in lacking[1:]:
            default = getattr(default, name)
        value = run
        for name in lacking[1:]:
            value = getattr(value, name)
        path.write_text(json.dumps(without(saved, *lacking)))
        if value == default:
            claim(tmp_path, saved, run)
            whole = json.loads(path.read_text())
            assert whole["id"] == "0123456789ab"
            assert whole["run"] == json.loads(json.dumps(resolved(run)))
            assert whole | {"run": None} == saved | {"run": None}
        else:
            with pytest.raises(UserError, match=f"field '{'.'.join(lacking[1:])}"):
                claim(tmp_path, saved, run)
    changed = dataclasses.replace(run, ema_decay=0.5)
    path.write_text(json.dumps(without(saved, "run", "ema_decay")))
    with pytest.raises(UserError, match="field 'ema_decay' differs"):
        claim(tmp_path, saved, changed)
    path.write_text(json.dumps(without(saved, "identity", "data")))
    with pytest.raises(UserError, match="field 'data' differs"):
        claim(tmp_path, saved, run)


def test_a_digest_that_was_not_recorded_at_first_is_not_compared(tmp_path):
    run, saved = run_of("stemgen-tiny"), SAVED["stemgen-tiny"]
    (tmp_path / "run.json").write_text(json.dumps(saved))
    newer = saved | {"identity": saved["identity"] | {"codec_config": "a" * 64}}
    claim(tmp_path, newer, run)
    assert json.loads((tmp_path / "run.json").read_text()) == newer
    other = saved | {"identity": saved["identity"] | {"codec_config": "b" * 64}}
    with pytest.raises(UserError, match="field 'codec_config' differs"):
        claim(tmp_path, other, run)


FAULTS = {
    "mistyped": (
        {"batch_size": "8"},
        'field run.batch_size: expected an integer, got "8"',
    ),
    "unknown": ({"mood": 1}, "field run.mood: unknown; one of steps, batch_size"),
    "nested": ({"optim": {"beta1": [[]]}}, "field run.optim.beta1: expected a number"),
}


@pytest.mark.parametrize("changes, said", FAULTS.values(), ids=FAULTS)
def test_a_damaged_field_is_named(changes, said, tmp_path):
    saved = SAVED["stemgen-tiny"]
    damaged = saved | {"run": saved["run"] | changes}
    (tmp_path / "run.json").write_text(json.dumps(damaged))
    with pytest.raises(UserError, match="run.json: ") as caught:
        resume.read_run(tmp_path)
    assert said in str(caught.value)
    (tmp_path / "run.json").write_text(json.dumps(without(saved, "run")))
    with pytest.raises(UserError, match="run.json: field run: missing"):
        resume.read_run(tmp_path)


@pytest.mark.parametrize("preset", SAVED)
def test_a_saved_run_is_the_same_run(preset, tmp_path):
    run, saved = run_of(preset), SAVED[preset]
    now = json.loads(json.dumps(resolved(run)))
    if now == saved["run"]:  # else it lacks fields of later versions
        assert run_id(run) == saved["id"]
    (tmp_path / "run.json").write_text(json.dumps(saved))
    claim(tmp_path, saved, run)
    assert json.loads((tmp_path / "run.json").read_text()) == saved | {"run": now}
    with pytest.raises(UserError, match="field 'batch_size' differs"):
        claim(tmp_path, saved, dataclasses.replace(run, batch_size=64))
    with pytest.raises(UserError, match="field 'data' differs"):
        other = saved | {"identity": saved["identity"] | {"data": "0" * 64}}
        claim(tmp_path, other, run)

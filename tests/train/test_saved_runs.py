"""run.json of stemjax 0.1.0: the same commands still resume those workdirs."""

import dataclasses
import json
import pathlib

import pytest

from stemjax.config.presets import CODEC_TINY, PRESETS, fit_to_codec
from stemjax.config.runs import StemGenRun, resolved, run_id
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


@pytest.mark.parametrize("preset", SAVED)
def test_a_saved_run_is_the_same_run(preset, tmp_path):
    run, saved = run_of(preset), SAVED[preset]
    assert run_id(run) == saved["id"]
    assert json.loads(json.dumps(resolved(run))) == saved["run"]
    (tmp_path / "run.json").write_text(json.dumps(saved))
    claim(tmp_path, saved, run)
    assert json.loads((tmp_path / "run.json").read_text()) == saved
    with pytest.raises(UserError, match="field 'batch_size' differs"):
        claim(tmp_path, saved, dataclasses.replace(run, batch_size=64))
    with pytest.raises(UserError, match="field 'data' differs"):
        other = saved | {"identity": saved["identity"] | {"data": "0" * 64}}
        claim(tmp_path, other, run)

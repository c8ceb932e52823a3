"""The benchmark of training runs, and its figures are of one and the same step."""

import dataclasses
import json

import pytest

from benchmarks import train_step
from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY, fit_to_codec
from stemjax.models.flops import flops_per_step
from stemjax.train.planning.dry_run import tokens_per_step


def test_its_figures_agree_with_each_other(monkeypatch, capsys):
    model = fit_to_codec(STEMGEN_TINY.model, CODEC_TINY.model)
    run = dataclasses.replace(STEMGEN_TINY, model=model)
    monkeypatch.setattr(train_step, "STEMGEN_MINI", run)
    monkeypatch.setattr(train_step, "CODEC_SEANET", CODEC_TINY)
    monkeypatch.setattr("sys.argv", ["train_step.py", "--steps", "1"])
    train_step.main()
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    seconds = result["stemgen_mini_ms"] / 1e3
    tokens = tokens_per_step(run)
    assert result["tokens_per_second"] * seconds == pytest.approx(tokens)
    flops = flops_per_step(run.model, run.batch_size, tokens // run.batch_size)
    assert result["model_flops_per_second"] * seconds == pytest.approx(flops)
    speed = result["mfu"] * result["matmul_flops_per_second"]
    assert speed == pytest.approx(result["model_flops_per_second"])

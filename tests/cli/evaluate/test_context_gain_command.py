"""`evaluate.py context-gain` on made models: the report, its table, two models."""

import json
import math
import types

import pytest

from stemjax.cli.evaluate import context_gain as command
from stemjax.cli.evaluate.shared.decoding_arguments import ContextGainArguments
from stemjax.eval.reports.context_gain_report import table
from stemjax.io.errors import UserError
from tests.eval.metrics.test_context_gain import CFG, batches
from tests.models.oracle import listener


def model(params, name="mine", codec="a"):
    of = types.SimpleNamespace(name=f"codec-{codec}", sha256=codec, config_sha256="")
    return types.SimpleNamespace(
        params=params, config=CFG, name=name, version="1", sha256=name, codec=of
    )


def without_context():
    """Parameters of a model that ignores the context."""
    params = listener(CFG)
    params["context_embed"]["embedding"] = params["context_embed"]["embedding"] * 0
    return params


@pytest.fixture
def measure(tmp_path):
    """Run the command on models; returns its JSON file."""

    def call(first, second=None, **flags):
        out = tmp_path / "out.json"
        arguments = ContextGainArguments(data="songs", n=8, out=str(out), **flags)
        command.measure(arguments, first, second, batches, None)
        return json.loads(out.read_text())

    return call


def test_it_reports_and_prints(measure, capsys):
    report = measure(model(listener(CFG)))
    assert report["weights"] == "trained" and set(report["levels"]) == {"1", "2"}
    assert report["checkpoint"] == {"name": "mine", "version": "1"}
    assert (report["split"], report["seed"]) == ("test", 0)
    printed, progress = capsys.readouterr()
    assert printed.strip() == table(report)
    assert "mine: 100%" in progress and "8/8" in progress
    lines = printed.splitlines()
    assert len(lines) == 4 and lines[2].split()[0] == "1" and " to " in lines[2]
    assert report["levels"]["1"]["n_pairs"] == 8
    control = measure(model(listener(CFG)), shuffle_weights=True)
    assert control["weights"] == "shuffled"
    gains = [r["levels"]["1"]["gain_nats"] for r in (report, control)]
    assert gains[0] > 3 * abs(gains[1])


def test_it_compares_two_models(measure, capsys):
    deaf = model(without_context(), name="deaf")
    report = measure(model(listener(CFG)), deaf, against="deaf")
    gain = report["levels"]["1"]["gain_nats"]
    other = report["against"]
    assert other["levels"]["1"]["gain_nats"] == 0.0
    assert other["difference"]["1"]["gain_nats"] == pytest.approx(gain)
    own = other["difference"]["1"]["own"]
    assert own["gain_nats"] == pytest.approx(-math.log(8), abs=2e-3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[5] == "deaf 1 on the same pairs" and len(lines) == 14
    cells = lines[-2].split()
    assert cells[:2] == ["1", f"{gain:+.4f}"]
    assert cells[5] == f"{own['gain_nats']:+.4f}"
    with pytest.raises(UserError, match="--against deaf: its codec is codec-b, not"):
        measure(model(listener(CFG)), model(None, "deaf", "b"), against="deaf")

"""`evaluate.py selftest`: when a failed check ends the command."""

import json

import pytest

from stemjax.cli.evaluate import selftest as command
from stemjax.cli.evaluate.shared.arguments import SelftestArguments
from stemjax.eval.selftest import bars
from stemjax.eval.selftest.checks import is_zero
from stemjax.io.errors import UserError


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command with one check of a given value; returns its JSON file."""
    monkeypatch.setattr(command, "make_clip", lambda seed, k: None)

    def call(value, n):
        for name, result in (
            ("corruptions", {}),
            ("analyse_clips", []),
            ("descriptor_checks", [is_zero("music", value)]),
            ("mirdd_checks", []),
            ("log_mel_checks", []),
        ):
            monkeypatch.setattr(bars, name, lambda *_, result=result: result.copy())
        out = tmp_path / "out.json"
        command.run(SelftestArguments(n=n, out=str(out)))
        return json.loads(out.read_text())

    return call


def test_checks_that_pass(run, capsys):
    assert run(0, 120) == {
        "n": 120,
        "checks": [{"name": "music", "value": 0}],
        "failed": [],
    }
    page = capsys.readouterr().out
    assert "music" in page and "hold from 120 on" not in page


def test_a_failed_check_of_few_clips_is_reported(run, capsys):
    assert run(1, 8)["failed"] == ["music"]
    assert "hold from 120 on" in capsys.readouterr().out


def test_a_failed_check_of_120_clips_is_an_error(run, capsys):
    with pytest.raises(UserError, match="1 checks failed: music"):
        run(1, 120)
    assert "hold from 120 on" not in capsys.readouterr().out

"""evaluate.py listening as a person types it: a fault takes one line."""

import pytest

from tests.entry.programs import run

pytestmark = pytest.mark.entry


def test_a_fault_takes_one_line(tmp_path):
    asked = ("listening", "--also", "loud", "--out", tmp_path / "out")
    said = run("evaluate.py", *asked, code=2).stderr
    assert said.startswith("error: ") and said.count("\n") == 1
    assert "--also loud: one of best, naive" in said
    assert not (tmp_path / "out").exists()

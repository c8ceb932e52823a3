"""evaluate.py listening, gallery and results as a person types them: faults, a page."""

import pytest

from tests.entry.programs import run

pytestmark = pytest.mark.entry


def test_faults_take_one_line_and_results_come_from_a_folder(tmp_path):
    for asked, words in (
        (("listening", "--also", "loud"), "--also loud: one of best, naive"),
        (("gallery", "--contexts", tmp_path / "none.wav"), "none.wav: no such file"),
    ):
        said = run("evaluate.py", *asked, "--out", tmp_path / "out", code=2).stderr
        assert said.startswith("error: ") and said.count("\n") == 1 and words in said
        assert not (tmp_path / "out").exists()
    (tmp_path / "tune.md").write_text("# Tuning of mini 3\n\nscales 2/1.5\n")
    out = tmp_path / "docs" / "results.md"
    run("evaluate.py", "results", "--from", tmp_path, "--out", out)
    assert "## Tuning of mini 3\n\nscales 2/1.5\n" in out.read_text()

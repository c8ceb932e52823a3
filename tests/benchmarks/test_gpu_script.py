"""benchmarks/gpu.py at a tiny size, with all that it may not import forbidden."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu

pytest.importorskip("torch")

SCRIPT = Path(gpu.__file__)
FORBIDDEN = (
    *("tyro", "soundfile", "librosa", "tensorflow", "soxr", "safetensors", "tqdm"),
    *("matplotlib", "tensorboardX", "pyloudnorm", "data"),
)
# every finder is blind to them, as on a machine that lacks them
HOOK = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {FORBIDDEN!r}:
            return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def rows_of(output: str) -> dict[str, dict]:
    """Lines of one row joined."""
    rows = {}
    for line in output.splitlines():
        figures = json.loads(line)
        rows.setdefault(figures.pop("row"), {}).update(figures)
    return rows


@pytest.mark.slow
def test_it_runs_with_few_packages(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    rows_to_run = ["ceiling", "decode_1", "train"]
    done = subprocess.run(
        [
            sys.executable,
            SCRIPT,
            "--tiny",
            "--no-compile",
            "--here",
            "--rows",
            *rows_to_run,
        ],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)
    assert list(rows) == rows_to_run
    assert not any("error" in figures for figures in rows.values()), rows
    assert rows["ceiling"]["matmul_tflops"] > 0
    for name in rows_to_run[1:]:
        figures = rows[name]
        ratio = figures["eager_ms"]["median"] / figures["ours_ms"]["median"]
        assert figures["ours_over_eager"] == pytest.approx(ratio, rel=0.02)
        assert figures["share_of_ceiling"] > 0


def test_a_row_that_fails_leaves_the_others(monkeypatch, capfd):
    """Each way of going wrong is the row's value: an error, a crash, too long."""
    codes = {"ceiling": "raise SystemExit(7)", "train": "import time; time.sleep(60)"}

    def run(command, timeout):
        code = codes[command[command.index("--rows") + 1]]
        return real([sys.executable, "-S", "-c", code], timeout=timeout)

    real = subprocess.run
    monkeypatch.setattr(gpu.subprocess, "run", run)
    monkeypatch.setitem(gpu.ROW_SECONDS, "train", 1.0)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--rows", *codes])
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    gpu.main()
    rows = rows_of(capfd.readouterr().out)
    assert rows["ceiling"] == {"error": "ended with code 7"}
    assert rows["train"] == {"error": "stopped after 1 s"}
    gpu.run_here("no such row", is_tiny=True, is_compiled=False)
    assert "KeyError" in rows_of(capfd.readouterr().out)["no such row"]["error"]


def test_no_time_left_is_said(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "BUDGET_SECONDS", 0.0)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    gpu.main()
    rows = rows_of(capsys.readouterr().out)
    assert rows == {name: {"error": "no time left"} for name in gpu.ROW_SECONDS}

"""The tutorial notebook runs from its first cell to its last."""

import json
import os
import re
import sys

import pytest

from tests.docs.pages import ROOT

TUTORIAL = ROOT / "docs" / "tutorial.ipynb"


@pytest.fixture
def notebook():
    return pytest.importorskip("nbformat").read(TUTORIAL, as_version=4)


def test_the_committed_notebook_has_no_outputs(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


def test_the_pages_that_the_notebook_names_exist(notebook):
    text = "\n".join(cell.source for cell in notebook.cells)
    for name in set(re.findall(r"docs/[\w.]+\w", text)):
        assert (ROOT / name).exists(), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the Jupyter client
def test_the_notebook_runs(notebook, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    # the kernel is this interpreter, and writes nothing outside tmp_path
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(
        json.dumps({"argv": start, "display_name": "test", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.getenv('PYTHONPATH', '')}")
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    sounds = [o for o in outputs if "audio" in str(o.get("data", {}).get("text/html"))]
    reports = [
        o.data["text/markdown"] for o in outputs if "text/markdown" in o.get("data", {})
    ]
    assert len(pictures) == 4 and len(sounds) == 3
    assert "FD-logmel" in reports[0] and "MIRDD" in reports[0]

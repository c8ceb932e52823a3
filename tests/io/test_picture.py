"""Pictures: their texts are plain, and a failure is one line."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.config.decode import FAST
from stemjax.io import picture

FORMULAS = ("Cash $$ Rules $$", "a$_{b$", r"$\frac{1}$", "1$ and 2$", r"\alpha_{")
NAMES = (
    *FORMULAS,
    os.fsdecode(b"caf\xe9"),
    "\u66f2\u540d",
    "a\x1b[31mb\x00c",
    "two\nlines",
)


def test_titles_are_plain_text(tmp_path, capfd):
    path = tmp_path / "a.png"
    figure = picture.new_figure(2, 1)
    for name in NAMES:
        figure.text(0, 0, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture.save_figure(path, figure, dpi=40)
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert capfd.readouterr().err == ""


@settings(max_examples=6, deadline=None, derandomize=True)
@given(title=st.text(st.characters(codec=None, exclude_categories=()), max_size=12))
def test_any_text_is_a_title(title, tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "a.png"
    figure = picture.new_figure(2, 1)
    figure.suptitle(title)
    figure.subplots().set_yticks([0, 1], [title, "$b$"])
    picture.save_figure(path, figure, dpi=40)
    assert path.is_file()


def test_a_backend_of_a_notebook_is_not_looked_for(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://no_such_backend")
    with picture._own_backend():
        assert "MPLBACKEND" not in os.environ
    assert os.environ["MPLBACKEND"] == "module://no_such_backend"


def test_a_failure_is_one_line_on_stderr(tmp_path, capsys):
    def fail():
        raise RuntimeError("no\nfont")

    assert not picture.draw_or_warn(tmp_path / "a.png", fail)
    printed = capsys.readouterr().err
    assert printed.endswith("no picture was drawn (RuntimeError: no font)\n")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("levels", [2, 6])
def test_the_order_of_any_number_of_levels_is_drawn(tmp_path, levels):
    path = tmp_path / "a.png"
    order = np.tile(np.arange(4), (levels, 1))
    rows = [("stem", np.ones((4, 3)))]
    steps = FAST.steps_for(levels)
    picture.save_spectrograms(path, rows, seconds=1.0, order=order, steps=steps)
    assert path.is_file()

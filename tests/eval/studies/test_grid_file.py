"""Grids of the user's own: what they hold, and each fault with its line."""

import dataclasses

import pytest

from stemjax.config.decode import BEST, FAST, NAIVE, Guidance
from stemjax.config.sweeps import GRIDS
from stemjax.eval.populations.decoding_run import point_key
from stemjax.eval.studies.grid_file import read_grid
from stemjax.io.errors import UserError
from tests.eval.stand_ins import Echo

WHOLE = """
base = "naive"
[settings]
steps = [32, 16]
guidance = "multi"
[axes]
scales = [[1, 1], [3.0, 2]]
w_causal = [0, 0.1]
[[row]]
name = "hot"
temperature = 2
[[row]]
name = "plain"
"""


@pytest.fixture
def read(tmp_path):
    def from_text(text):
        path = tmp_path / "grid.toml"
        path.write_text(text, encoding="utf-8")
        return read_grid(path)

    return from_text


def test_a_byte_order_mark_and_windows_lines_are_passed_over(read, tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    assert read_grid(path) == read(WHOLE)
    path.write_bytes(b'base = "caf\xe9"')
    with pytest.raises(UserError, match="windows.toml: not TOML .not UTF-8.; save it"):
        read_grid(path)
    path.write_bytes(b"a = " + b"[" * 5000)
    with pytest.raises(UserError, match="windows.toml: not TOML .nested too deep"):
        read_grid(path)


def test_every_part(read):
    base = dataclasses.replace(NAIVE, steps=(32, 16), guidance=Guidance.MULTI)
    changed = {
        "scales 1 1, w_causal 0": {"scales": (1.0, 1.0), "w_causal": 0.0},
        "scales 1 1, w_causal 0.1": {"scales": (1.0, 1.0), "w_causal": 0.1},
        "scales 3.0 2, w_causal 0": {"scales": (3.0, 2.0), "w_causal": 0.0},
        "scales 3.0 2, w_causal 0.1": {"scales": (3.0, 2.0), "w_causal": 0.1},
        "hot": {"temperature": 2.0},
        "plain": {},
    }
    wanted = {k: (dataclasses.replace(base, **v),) for k, v in changed.items()}
    rows = read(WHOLE)
    assert {row.name: row.points for row in rows} == wanted
    assert [row.name for row in rows] == list(wanted)


def test_whole_numbers_are_the_presets_numbers(read):
    """Else a row of the file and one of a named grid would not share their stems."""
    (row,) = read("[axes]\nscales = [[3, 3]]\n")
    assert row.points == (BEST,)
    assert [type(x) for x in row.points[0].scales] == [float, float]
    system = Echo()
    assert point_key(system, row.points[0], 0) == point_key(system, BEST, 0)
    named = {point_key(system, r.points[0], 0) for r in GRIDS["causal-bias"]}
    own = read("[axes]\nw_causal = [0, 0.02, 0.05, 0.1, 0.2, 0.5, 1]\n")
    assert {point_key(system, r.points[0], 0) for r in own} == named


def test_the_base_is_best_unless_named(read):
    assert read('[[row]]\nname = "a"')[0].points == (BEST,)
    assert read('base = "fast"\n[[row]]\nname = "a"')[0].points == (FAST,)


FAULTS = {
    "unknown part": ("axis = 1", "'axis' is unknown or misplaced"),
    "one table for rows": ('[row]\nname = "a"', "'row' is unknown or misplaced"),
    "base no text": ("base = 3", "'base' is unknown or misplaced"),
    "unknown base": ('base = "bst"', "base 'bst' is not one of best, naive"),
    "unknown setting": ("[settings]\ntemp = 1.0", "unknown setting 'temp'; one of"),
    "unknown axis": ("[axes]\nlambda = [1.0]", "unknown setting 'lambda'"),
    "text for number": (
        '[settings]\nw_conf = "1"',
        'expected a number, got "1"',
    ),
    "bool for number": ("[settings]\nw_conf = true", "expected a number, got true"),
    "bool for steps": (
        "[settings]\nsteps = [true]",
        "steps[0]: expected an integer",
    ),
    "fraction of a step": ("[settings]\nsteps = [1.5]", "expected an integer, got 1.5"),
    "text for list": ('[settings]\nsteps = "8"', 'expected a list, got "8"'),
    "no list of lists": ("[axes]\nscales = [3.0, 3.0]", "expected a list, got 3.0"),
    "no number": ("[settings]\ntemperature = nan", "nan is not a finite number"),
    "endless": ("[axes]\nw_causal = [inf]", "inf is not a finite number"),
    "no steps": ("[settings]\nsteps = []", "steps: give one number or more"),
    "out of range": ("[axes]\ntop_p = [0.5, 2.0]", "top_p 2.0: give a number above 0"),
    "unknown guidance": ('[settings]\nguidance = "both"', 'single, multi, got "both"'),
    "empty axis": ("[axes]\nw_conf = []", "axes.w_conf must be a list of values"),
    "axis no list": ("[axes]\nw_conf = 0.1", "axes.w_conf must be a list of values"),
    "text for axis": ('[axes]\nw_conf = "0.1"', "axes.w_conf must be a list"),
    "empty": ("", "no row; give"),
    "settings alone": ("[settings]\nw_conf = 0.2", "no row; give"),
    "nameless": ("[[row]]\nw_conf = 0.2", "needs a name"),
    "name no text": ("[[row]]\nname = 3", "needs a name"),
    "rows no tables": ("row = [1]", "needs a name"),
    "twice": ('[[row]]\nname = "a"\n[[row]]\nname = "a"', "two rows have the name 'a'"),
    "twice in an axis": (
        "[axes]\nw_conf = [0.1, 0.1]",
        "two rows have the name 'w_conf",
    ),
    "no TOML": ("axes = [", "not TOML"),
}


@pytest.mark.parametrize("text, said", FAULTS.values(), ids=FAULTS)
def test_faults_are_one_line_that_names_the_file(read, text, said):
    with pytest.raises(UserError, match="grid.toml: ") as caught:
        read(text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="none.toml: no such grid or file"):
        read_grid(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="a.toml: not TOML"):
        read_grid(tmp_path / "a.toml")
    with pytest.raises(UserError, match="cannot be read .Is a directory.; give a TOML"):
        read_grid(tmp_path)

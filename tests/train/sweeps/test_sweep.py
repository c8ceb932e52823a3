"""`--sweep NAME|FILE.toml --index I`: which run, which folder, and each fault."""

import dataclasses

import pytest

from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY
from stemjax.config.runs import Invocation
from stemjax.config.train_sweeps import SWEEPS, apply
from stemjax.io.errors import UserError
from stemjax.train.sweeps.sweep import find, folder_name, select
from stemjax.train.sweeps.sweep_file import read_sweep

WHOLE = """
[settings]
steps = 30
loop.log_every = 5
[axes]
optim.peak_lr = [1, 2e-3]
"model.joint" = [false, true]
size = [
  {model.transformer.width = 96, model.transformer.heads = 3},
  {"model.transformer.width" = 128},
]
[[run]]
seed = 4
[[run]]
seed = 5
steps = 40
"""


def selected(run=STEMGEN_TINY, **flags):
    """What `select` returns for flags of the invocation."""
    return select(run, Invocation(**flags))


@pytest.fixture
def grid(tmp_path):
    def write(text):
        path = tmp_path / "grid.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_file_by_hand(grid):
    sweep = read_sweep(grid(WHOLE))
    assert sweep.name == "grid"
    always = {"steps": 30, "loop.log_every": 5}
    small = {"model.transformer.width": 96, "model.transformer.heads": 3}
    large = {"model.transformer.width": 128}
    wanted = [
        always | {"optim.peak_lr": rate, "model.joint": is_joint} | size
        for rate in (1, 2e-3)
        for is_joint in (False, True)
        for size in (small, large)
    ]
    wanted += [always | {"seed": 4}, always | {"seed": 5, "steps": 40}]
    assert [dict(run) for run in sweep.runs] == wanted
    run = apply(STEMGEN_TINY, sweep, 2)
    assert (run.optim.peak_lr, run.model.joint, run.steps) == (1.0, True, 30)
    assert type(run.optim.peak_lr) is float
    assert (run.model.transformer.width, run.model.transformer.heads) == (96, 3)


def test_runs_of_an_array_lie_side_by_side():
    run, invocation = selected(sweep="hundred", index=7, workdir="gs://bucket/runs")
    assert invocation.workdir == "gs://bucket/runs/hundred/007"
    bare = apply(STEMGEN_TINY, SWEEPS["hundred"], 7)
    assert run == bare
    _, invocation = selected(sweep="hundred", index=7, dry_run=True)
    assert invocation.workdir is None
    assert [folder_name(i, n) for i, n in ((0, 1), (7, 100), (7, 1001))] == [
        "000",
        "007",
        "0007",
    ]


def test_the_command_line_counts_where_the_sweep_is_silent():
    changed = dataclasses.replace(STEMGEN_TINY, steps=3, seed=9, batch_size=2)
    run, _ = selected(changed, sweep="level-decay", index=4)
    assert (run.steps, run.batch_size) == (3, 2)
    assert (run.seed, run.objective.level_decay) == (1, 0.5)


def test_a_file_names_its_folder(grid):
    run, invocation = selected(sweep=grid("axes.seed = [3, 4]"), index=1, workdir="w")
    assert (invocation.workdir, run.seed) == ("w/grid/001", 4)


def test_no_sweep_no_change():
    assert selected(workdir="w") == (STEMGEN_TINY, Invocation(workdir="w"))


def test_without_an_index_the_runs_are_listed(grid, capsys):
    name = grid("[axes]\nseed = [3, 4]\n[[run]]\nbatch_size = 16\n")
    table = (
        "index  seed  batch_size\n"
        "    0     3           -\n"
        "    1     4           -\n"
        "    2     -          16\n"
    )
    assert selected(sweep=name, dry_run=True) is None
    first, rest = capsys.readouterr().out.split("\n", 1)
    assert rest == table and first.startswith("grid: runs of ")
    with pytest.raises(UserError, match=r"give --index 0\.\.2"):
        selected(sweep=name)
    assert capsys.readouterr().out.endswith(table)


def test_flags_that_select_no_run():
    with pytest.raises(UserError, match="--index 3: give --sweep NAME"):
        selected(index=3)
    with pytest.raises(UserError, match=r"'hundred' has runs 0\.\.99"):
        selected(sweep="hundred", index=100)
    with pytest.raises(ValueError, match="index -2: give a whole number"):
        selected(sweep="hundred", index=-2)
    with pytest.raises(UserError, match="for stemgen presets"):
        selected(CODEC_TINY, sweep="hundred", index=0)
    with pytest.raises(UserError) as caught:
        find("hundert")
    assert all(name in str(caught.value) for name in SWEEPS)


FAULTS = {
    "unknown part": ("axis = 1", "'axis' is unknown or misplaced; a sweep has"),
    "one table for runs": ("[run]\nseed = 1", "'run' is unknown or misplaced"),
    "no run": ("[settings]\nseed = 1", "no run; give [axes] or [[run]]"),
    "axis no list": ("[axes]\nseed = 1", "axes.seed must be a list of values"),
    "empty axis": ("[axes]\nseed = []", "axes.seed must be a list of values"),
    "mixed": ("[axes]\nseed = [1, {seed = 2}]", "axes.seed mixes tables and values"),
    "field on two axes": (
        "[axes]\nseed = [1]\na = [{seed = 2}]",
        "two axes set 'seed'",
    ),
    "field twice": ('[axes]\na.b = [1]\n"a.b" = [2]', "'a.b' is given twice"),
    "runs no tables": ("run = [1]", "every [[run]] must be a table"),
    "no TOML": ("axes = [", "not TOML"),
    "unknown field": ("axes.optim.rate = [1]", "run 0: optim.rate: no such field"),
    "bad value": (
        "axes.seed = [1, 2, 'a']",
        'run 2: field seed: expected an integer, got "a"',
    ),
    "the same twice": ("axes.seed = [1, 2, 1]", "runs 0 and 2 are the same"),
}


@pytest.mark.parametrize("text, message", FAULTS.values(), ids=FAULTS)
def test_every_job_sees_a_fault_of_the_file(grid, text, message):
    with pytest.raises(UserError, match="grid.toml") as caught:
        selected(sweep=grid(text), index=0)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="none.toml: no such sweep or file"):
        find(str(tmp_path / "none.toml"))

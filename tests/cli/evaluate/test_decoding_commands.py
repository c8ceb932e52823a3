"""Arguments that the decoding commands reject, and rows, sizes and file names."""

import pytest

from stemjax.cli.evaluate import sweep
from stemjax.cli.evaluate.shared.decoding import given_steps, parse_shard
from stemjax.cli.evaluate.shared.decoding_arguments import (
    DecodingArguments,
    SweepArguments,
)
from stemjax.config.decode import BEST, FAST
from stemjax.config.metrics import Metric
from stemjax.config.sweeps import GRIDS, TABLES, TableRow
from stemjax.eval.reports.sweep_report import lowest_line
from stemjax.eval.studies import tables
from stemjax.eval.studies.sweep import file_name, sweep_jobs
from stemjax.io.errors import UserError
from tests.eval import stand_ins


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"n": 3}, "n 3: give a whole number, 4 or more"),
        ({"seeds": 0}, "seeds 0: give a whole number, 1 or more"),
        ({"seconds": 0.5}, "seconds 0.5: give a number from 1 to 3600"),
    ],
)
def test_numbers_that_no_run_can_have(fields, said):
    with pytest.raises(ValueError, match=said):
        DecodingArguments(**fields)


def test_shards():
    assert parse_shard("0/1") == (0, 1) and parse_shard("3/12") == (3, 12)
    for text in (
        "",
        "1",
        "1/",
        "/2",
        "-1/2",
        "1/1",
        "0/0",
        "a/b",
        "0/2/3",
        "1.0/2",
        "0/²",
    ):
        with pytest.raises(UserError, match="write i/N with 0 <= i < N"):
            parse_shard(text)


def test_rows_of_a_grid_s_name_or_file(tmp_path):
    for name in GRIDS:
        assert sweep.grid_rows(SweepArguments(grid=name)) == GRIDS[name]
        rows = sweep.grid_rows(SweepArguments(grid=name, fast=True))
        if name == "steps":  # the steps are what it is about
            assert rows == GRIDS[name]
        else:
            assert {p.steps for row in rows for p in row.points} == {FAST.steps}
    with pytest.raises(UserError, match="no grid 'gudance': one of presets, guidance"):
        sweep.grid_rows(SweepArguments(grid="gudance"))
    path = tmp_path / "own.toml"
    path.write_text("[axes]\nw_causal = [-0.1, 0.1]\n")
    rows = sweep.grid_rows(SweepArguments(grid=str(path)))
    # the scores of both signs are two files
    assert [file_name(row.name) for row in rows] == ["w_causal_-0.1", "w_causal_0.1"]
    path.write_text('[[row]]\nname = "a b"\n[[row]]\nname = "a, b"\n')
    with pytest.raises(UserError, match="'a b' and 'a, b' have the same file name"):
        sweep.grid_rows(SweepArguments(grid=str(path)))


def test_scores_of_named_grids_are_files_of_their_own():
    for rows in GRIDS.values():
        names = {file_name(row.name).lower() for row in rows}
        assert len(names) == len(rows) and all(names)


def test_steps_are_those_given_or_the_fast_ones():
    assert given_steps((), fast=False) == ()
    assert given_steps((), fast=True) == FAST.steps
    assert given_steps((32, 16, 8, 8), fast=True) == (32, 16, 8, 8)


def test_tables_at_the_sizes_of_a_run():
    everything = tables.select_tables((1, 2, 3), None, ())
    assert {k: t.sizes for k, t in everything.items()} == {
        1: (1000, 400),
        2: (400, 1000),
        3: (400,),
    }
    assert everything[1] == TABLES[1]
    few = tables.select_tables((3, 2, 3), 600, FAST.steps)
    assert list(few) == [2, 3] and few[2].sizes == (400, 600)
    assert {p.steps for t in few.values() for r in t.rows for p in r.points} == {
        FAST.steps
    }
    assert tables.select_tables((1, 2, 3), 8, ())[1].sizes == (8,)


def test_models_with_other_sources_are_refused(tmp_path):
    run = stand_ins.decoding_run(tmp_path, "abcd")
    tables.check_sources(run)
    rows = [TableRow(name="a", points=(BEST,))]
    assert len(sweep_jobs(rows, run, 4, seeds=2, seed=0)) == 8
    run.system.config.num_sources = 1
    with pytest.raises(UserError, match="echo: the model has 1 guidance sources"):
        tables.check_sources(run)
    with pytest.raises(UserError, match="row 'a': scales"):
        sweep_jobs(rows, run, 4, seeds=2, seed=0)


def test_the_row_with_the_lowest_value_and_those_within_noise_of_it():
    reports = {
        "a": stand_ins.report(2.0, [1.9, 2.0, 2.1, 2.0]),
        "b": stand_ins.report(2.1, [2.9, 1.0, 2.5, 2.0]),
        "c": stand_ins.report(9.0, [9.1, 9.0, 8.9, 9.0]),
    }
    said = lowest_line(reports, Metric.MIRDD)
    assert said == "Lowest MIRDD: a; within noise of it: b."
    assert lowest_line(reports, Metric.FAD) is None
    alone = {name: reports[name] for name in "ac"}
    assert lowest_line(alone, Metric.FD_LOGMEL).endswith("within noise of it: none.")

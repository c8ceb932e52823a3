"""What the commands that decode refuse before they begin, and names of files."""

import pytest

from stemjax.cli.evaluate import sweep, tables
from stemjax.cli.evaluate.decoding import check_numbers, shard_of
from stemjax.cli.evaluate.decoding_arguments import Decoding, Sweep, Tables
from stemjax.config.decode import BEST, FAST
from stemjax.config.metrics import Metric
from stemjax.config.sweeps import GRIDS, TABLES, Row
from stemjax.io.errors import UserError
from tests.eval import stand_ins


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"n": 3}, "--n 3: give 4 or more"),
        ({"n": -1}, "--n -1: give 4 or more"),
        ({"seeds": 0}, "--seeds 0: give 1 or more"),
        ({"batch_size": 0}, "--batch-size 0: give 1 or more"),
        ({"seed": -1}, "--seed -1: give 0 or more"),
        ({"seconds": 0.5}, "--seconds 0.5: give 1 or more"),
        ({"shard": "2/2"}, "--shard 2/2: write i/N"),
    ],
)
def test_numbers_that_no_run_can_have(fields, said):
    with pytest.raises(UserError, match=said):
        check_numbers(Decoding(**fields))


def test_numbers_that_runs_have():
    check_numbers(Decoding())
    check_numbers(Decoding(n=4, seeds=1, batch_size=1, seconds=1.0, shard="3/4"))


def test_shards():
    assert shard_of("0/1") == (0, 1) and shard_of("3/12") == (3, 12)
    for text in ("", "1", "1/", "/2", "-1/2", "1/1", "0/0", "a/b", "0/2/3", "1.0/2"):
        with pytest.raises(UserError, match="write i/N with 0 <= i < N"):
            shard_of(text)


def test_rows_of_a_grid_s_name_or_file(tmp_path):
    for name in GRIDS:
        assert sweep.rows_of(Sweep(grid=name)) == GRIDS[name]
        rows = sweep.rows_of(Sweep(grid=name, fast=True))
        if name == "steps":  # the steps are what it is about
            assert rows == GRIDS[name]
        else:
            assert {p.steps for row in rows for p in row.points} == {FAST.steps}
    with pytest.raises(UserError, match="no grid 'gudance': one of presets, guidance"):
        sweep.rows_of(Sweep(grid="gudance"))
    path = tmp_path / "own.toml"
    path.write_text("[axes]\nw_causal = [-0.1, 0.1]\n")
    rows = sweep.rows_of(Sweep(grid=str(path)))
    # the scores of both signs are two files
    assert [sweep.slug(row.name) for row in rows] == ["w_causal_-0.1", "w_causal_0.1"]
    path.write_text('[[row]]\nname = "a b"\n[[row]]\nname = "a, b"\n')
    with pytest.raises(UserError, match="'a b' and 'a, b' make one file's name"):
        sweep.rows_of(Sweep(grid=str(path)))


def test_scores_of_named_grids_are_files_of_their_own():
    for rows in GRIDS.values():
        names = {sweep.slug(row.name).lower() for row in rows}
        assert len(names) == len(rows) and all(names)


def test_tables_at_the_sizes_of_a_run():
    assert {k: t.sizes for k, t in tables.chosen(Tables()).items()} == {
        1: (1000, 400),
        2: (400, 1000),
        3: (400,),
    }
    assert tables.chosen(Tables())[1] == TABLES[1]
    few = tables.chosen(Tables(numbers=(3, 2, 3), n=600, fast=True))
    assert list(few) == [2, 3] and few[2].sizes == (400, 600)
    assert {p.steps for t in few.values() for r in t.rows for p in r.points} == {
        FAST.steps
    }
    quarter = tables.chosen(Tables(numbers=(2,), steps=(32, 16, 8, 8)))
    assert {p.steps for t in quarter.values() for r in t.rows for p in r.points} == {
        (32, 16, 8, 8)
    }
    with pytest.raises(UserError, match="--steps 4 0: give 1 or more"):
        tables.chosen(Tables(steps=(4, 0)))
    assert tables.examples_needed(Tables(n=600)) == 600
    assert tables.examples_needed(Tables(numbers=(3,))) == 400
    assert tables.chosen(Tables(n=8))[1].sizes == (8,)


def test_models_of_other_sources_are_refused(tmp_path):
    bench = stand_ins.decoding_run(tmp_path, "abcd")
    tables.check_sources(bench)
    sweep.check_rows([Row(name="a", points=(BEST,))], bench)
    bench.system.config.num_sources = 1
    with pytest.raises(UserError, match="echo: has 1 guidance sources"):
        tables.check_sources(bench)
    with pytest.raises(UserError, match="row 'a': scales"):
        sweep.check_rows([Row(name="a", points=(BEST,))], bench)


def test_the_row_with_the_lowest_value_and_those_within_noise_of_it():
    reports = {
        "a": stand_ins.report(2.0, [1.9, 2.0, 2.1, 2.0]),
        "b": stand_ins.report(2.1, [2.9, 1.0, 2.5, 2.0]),
        "c": stand_ins.report(9.0, [9.1, 9.0, 8.9, 9.0]),
    }
    said = sweep.lowest(reports, Metric.MIRDD)
    assert said == "Lowest MIRDD: a; within noise of it: b."
    assert sweep.lowest(reports, Metric.FAD) is None
    alone = {name: reports[name] for name in "ac"}
    assert sweep.lowest(alone, Metric.FD_LOGMEL).endswith("within noise of it: none.")

"""The tables against the paper's text, and the grids' rows."""

import dataclasses

import pytest

from stemjax.config.decode import BEST, NAIVE, Guidance
from stemjax.config.metrics import Metric
from stemjax.config.sweeps import (
    GRIDS,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLES,
    with_steps,
)

# typed by hand from the paper's tables: FAD, MIRDD
PAPER = {
    1: {
        "none": (4.30, 0.41),
        "instrument > 1": (3.66, 0.26),
        "audio > 1": (3.20, 0.29),
        "both > 1": (3.17, 0.25),
    },
    2: {
        "w_s 0": (3.18, 0.32),
        "w_s 0.1": (3.12, 0.14),
        "w_s 0.2": (3.13, 0.18),
        "w_s 0.5": (3.17, 0.20),
    },
    3: {
        "naive": (4.3, 0.43),
        "best": (3.12, 0.14),
        "second naive": (3.39, 0.40),
        "second best": (1.96, 0.36),
    },
}


@pytest.mark.parametrize("number", (1, 2, 3))
def test_the_paper_s_values_stand_beside_their_rows(number):
    found = {
        row.name: (row.paper[Metric.FAD], row.paper[Metric.MIRDD])
        for row in TABLES[number].rows
        if row.paper
    }
    assert found == PAPER[number]


def test_settings_of_table_1():
    """Sec. 3.2.1: lambda_a, the audio's, is the first scale; sec. 3.1: w_c, w_r."""
    none, eq3, instrument, audio, both = TABLE_1.rows
    assert none.points == (NAIVE,) and NAIVE.guidance is Guidance.NONE
    assert [p.scales for p in eq3.points] == [(1.0, 1.0)]
    values = [1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    assert [p.scales for p in instrument.points] == [(1.0, x) for x in values]
    assert [p.scales for p in audio.points] == [(x, 1.0) for x in values]
    assert {p.scales for p in both.points} == {(a, i) for a in values for i in values}
    assert len(both.points) == 36
    for row in TABLE_1.rows:
        for point in row.points:
            assert (point.w_conf, point.w_causal, point.w_rand) == (0.1, 0.0, 1.0)
            assert point.steps == (128, 64, 32, 32)
            assert point.guidance is (Guidance.NONE if row is none else Guidance.MULTI)
    assert TABLE_1.sizes == (1000, 400)


def test_settings_of_tables_2_and_3():
    for row, w in zip(TABLE_2.rows, (0.0, 0.1, 0.2, 0.5), strict=True):
        (point,) = row.points
        assert point == dataclasses.replace(BEST, w_causal=w)
        assert point.scales == (3.0, 3.0)
    best = [row.points for row in TABLE_3.rows if "best" in row.name]
    assert best == [(BEST,)] * 2
    assert [row.points for row in TABLE_3.rows if "naive" in row.name] == [(NAIVE,)] * 2
    assert [row.is_second for row in TABLE_3.rows] == [False, False, True, True]
    # rows that are one setting are one population
    assert TABLE_2.rows[1].points == TABLE_3.rows[1].points
    assert TABLE_1.rows[0].points == TABLE_3.rows[0].points
    assert (set(TABLE_2.sizes), TABLE_3.sizes) == ({400, 1000}, (400,))


@pytest.mark.parametrize("number", (1, 2, 3))
def test_claims_name_rows_and_agree_with_the_paper(number):
    for metric, claims in TABLES[number].claims.items():
        column = 0 if metric is Metric.FAD else 1
        for claim in claims:
            low, high = (PAPER[number][n][column] for n in (claim.lower, claim.higher))
            assert low < high, (metric, claim)
        named = {name for claim in claims for name in (claim.lower, claim.higher)}
        assert named == set(PAPER[number])  # no row of the paper is left out
    assert set(TABLES[number].claims) == {Metric.FAD, Metric.MIRDD}


def test_both_may_be_as_good_as_audio_alone_on_fad():
    assert [c.strict for c in TABLE_1.claims[Metric.FAD]] == [False, True, True]
    assert all(c.strict for c in TABLE_1.claims[Metric.MIRDD])


@pytest.mark.parametrize(
    "rows", [*GRIDS.values(), *(t.rows for t in TABLES.values())], ids=[*GRIDS, *"123"]
)
def test_rows_have_names_of_their_own(rows):
    names = [row.name for row in rows]
    assert len(set(names)) == len(names) and all(names)
    assert all(row.points for row in rows)


def test_grids_vary_what_they_are_called_by():
    assert [r.points[0].w_causal for r in GRIDS["causal-bias"]][:2] == [0.0, 0.02]
    for name, rows in GRIDS.items():
        if name == "presets":
            continue
        points = [row.points[0] for row in rows]
        assert len(set(points)) == len(points)
        field = {
            "guidance": "scales",
            "causal-bias": "w_causal",
            "confidence": "w_conf",
        }.get(name, name)
        same = {dataclasses.replace(p, **{field: getattr(BEST, field)}) for p in points}
        assert same == {BEST} and BEST in points
    assert len(GRIDS["guidance"]) == 49


def test_with_steps_changes_the_steps_alone():
    rows = with_steps(TABLE_1.rows, (4, 2))
    assert [row.name for row in rows] == [row.name for row in TABLE_1.rows]
    for new, old in zip(rows, TABLE_1.rows, strict=True):
        assert {p.steps for p in new.points} == {(4, 2)}
        assert (
            tuple(dataclasses.replace(p, steps=BEST.steps) for p in new.points)
            == old.points
        )
        assert new.paper == old.paper and new.is_second == old.is_second

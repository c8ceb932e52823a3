"""Which picture is drawn of what; grids of scales by hand."""

import dataclasses

import numpy as np
import pytest

from stemjax.config.decode import BEST, NAIVE
from stemjax.config.metrics import Metric
from stemjax.config.runs import to_json
from stemjax.config.sweeps import GRIDS, TABLE_1, Row
from stemjax.eval.reports import pictures as body
from stemjax.eval.reports import plots
from stemjax.eval.studies import tables
from tests.eval.stand_ins import report


def test_varied():
    hot = dataclasses.replace(BEST, temperature=1.2)
    assert body.varied([BEST, BEST]) == [] == body.varied([])
    assert body.varied([BEST, hot, BEST]) == ["temperature"]
    assert body.varied([NAIVE, hot]) == ["guidance", "w_causal", "temperature"]
    assert body.varied([r.points[0] for r in GRIDS["guidance"]]) == ["scales"]
    assert body.varied([r.points[0] for r in GRIDS["steps"]]) == ["steps"]


def entry(value, se=0.1):
    return {"value": value, "se": se}


def test_scale_grid_by_hand():
    """Rows are the audio's scales, columns the instrument's, in whatever order given."""
    found = body.scale_grid(
        {
            (3.0, 1.0): entry(5.0),
            (1.0, 2.0): entry(2.0, None),
            (1.0, 1.0): entry(1.0),
            (3.0, 2.0): None,
            (1.0, 4.0): entry(3.0),
            (3.0, 4.0): entry(None),
        }
    )
    values, errors, audio, instrument = found
    assert (audio, instrument) == ([1.0, 3.0], [1.0, 2.0, 4.0])
    nan = np.nan
    np.testing.assert_array_equal(values, [[1, 2, 3], [5, nan, nan]])
    np.testing.assert_array_equal(errors, [[0.1, nan, 0.1], [0.1, nan, nan]])


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {(1.0, 1.0): entry(1.0), (1.0, 2.0): entry(1.0)},  # one scale stays
        {(1.0, 1.0): entry(1.0), (2.0, 2.0): entry(1.0)},  # a diagonal
        {(1.0,): entry(1.0), (2.0,): entry(1.0)},  # of one source
        {(a, b): None for a in (1.0, 2.0) for b in (1.0, 2.0)},  # nothing measured
    ],
)
def test_what_makes_no_grid(entries):
    assert body.scale_grid(entries) is None


@pytest.fixture
def drawn(monkeypatch):
    """What was asked of `plots`, in the place of pictures."""
    calls = {}
    for name in ("save_bars", "save_heatmap", "save_lines"):

        def record(path, *args, name=name, **keywords):
            calls[path.name] = (name, args, keywords)

        monkeypatch.setattr(plots, name, record)
    return calls


def sweep_of(values, field):
    rows = [
        Row(name=str(v), points=(dataclasses.replace(BEST, **{field: v}),))
        for v in values
    ]
    reports = {r.name: report(float(k), [k - 1, k, k + 1]) for k, r in enumerate(rows)}
    return rows, reports


def test_a_swept_number_is_a_line(drawn, tmp_path):
    body.save_sweep(tmp_path, *sweep_of((0.5, 0.1, 0.2), "w_causal"), "title")
    name, (values, panels), keywords = drawn.pop("sweep.png")
    assert name == "save_lines" and values == [0.5, 0.1, 0.2] and not drawn
    assert keywords == {"setting": "w_causal", "title": "title"}
    # FAD has no value: no panel
    assert [(p.title, list(p.values)) for p in panels] == [
        ("FD-logmel", [0.0, 1.0, 2.0]),
        ("MIRDD", [0.0, 1.0, 2.0]),
    ]


def test_other_sweeps_are_bars_and_two_scales_a_map(drawn, tmp_path):
    body.save_sweep(tmp_path, *sweep_of(((8, 4), (4, 2)), "steps"), "title")
    assert drawn.pop("sweep.png")[0] == "save_bars" and not drawn
    scales = [(a, i) for a in (1.0, 3.0) for i in (1.0, 2.0)]
    body.save_sweep(tmp_path, *sweep_of(scales, "scales"), "title")
    assert sorted(drawn) == ["sweep.png", "sweep_fd_logmel.png", "sweep_mirdd.png"]
    name, (values,), keywords = drawn["sweep_mirdd.png"]
    assert name == "save_heatmap" and values.tolist() == [[0, 1], [2, 3]]
    assert (keywords["rows"], keywords["columns"]) == (["1", "3"], ["1", "2"])
    assert keywords["row_label"] == "scale of the context audio"


def test_a_table_s_cells_are_a_map_where_they_vary_both_scales(drawn, tmp_path):
    def celled(row):
        cells = [
            {
                "decode": to_json(p),
                "n": 27,
                "metrics": {"mirdd": entry(p.scales[0] + 10 * p.scales[1])},
            }
            for p in row.points
        ]
        return report(1.0, [1, 2]) | ({"cells": cells} if len(cells) > 1 else {})

    reports = {row.name: celled(row) for row in TABLE_1.rows[1:]}
    result = {"n": 2} | tables.measured(TABLE_1, reports)
    body.save_table(tmp_path, "table1", result)
    assert sorted(drawn) == ["table1.png", "table1_cells_mirdd.png"]
    _, (names, panels, title), _ = drawn["table1.png"]
    assert names == list(reports) and title.endswith(
        "2 examples"
    )  # "none" is not there
    paper = {panel.title: list(panel.paper) for panel in panels}
    assert paper["MIRDD"] == [None, 0.26, 0.29, 0.25]
    assert paper["FD-logmel"] == [None] * 4  # the paper has no such value
    _, (values,), keywords = drawn["table1_cells_mirdd.png"]
    assert values[0, 5] == 1.5 + 10 * 4.0 and values[5, 0] == 4.0 + 10 * 1.5
    assert "not comparable with the rows" in keywords["title"]


def test_the_files_are_pictures(tmp_path):
    body.save_sweep(tmp_path, *sweep_of((0.1, 0.2), "w_conf"), "title")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert body.DRAWN == (Metric.FAD, Metric.FD_LOGMEL, Metric.MIRDD)

"""Tables from reports made by hand: cells, orders, the page, JSON."""

import csv
import io
import json

import pytest

from stemjax.config.claims import Claim
from stemjax.config.decode import BEST, NAIVE
from stemjax.config.metrics import Metric
from stemjax.config.sweeps import TABLE_1, TABLE_2, TABLE_3, Row, Table
from stemjax.eval.reports.report import as_csv
from stemjax.eval.studies import tables as body
from stemjax.eval.studies.ordering import Answer
from stemjax.io.errors import UserError
from tests.eval.stand_ins import report

CLAIM = Claim("best", "naive")
TABLE = Table(
    title="By hand",
    rows=(
        Row(name="naive", points=(NAIVE,), paper={Metric.FAD: 4.3, Metric.MIRDD: 0.4}),
        Row(name="extra", points=(BEST,)),
        Row(name="best", points=(BEST,), paper={Metric.FAD: 3.1, Metric.MIRDD: 0.1}),
        Row(name="gone", points=(BEST,), paper={Metric.FAD: 2, Metric.MIRDD: 0.3}),
    ),
    sizes=(4,),
    claims={Metric.FAD: (CLAIM,), Metric.MIRDD: (CLAIM, Claim("gone", "best"))},
)
# FD-logmel says best < naive, clearly; MIRDD the reverse
REPORTS = {
    "naive": report(9.0, [8.9, 9.0, 9.1, 9.0], mirdd=1.0),
    "extra": report(5.0, [4.0, 5.0, 5.0, 6.0]),
    "best": report(2.0, [1.9, 2.0, 2.1, 2.0], mirdd=7.0),
}
REPORTS["best"]["silent"]["generated"] = 1


@pytest.fixture
def result():
    return {"n": 4} | body.measured(TABLE, REPORTS)


def test_rows_in_the_table_s_order(result):
    assert [row["name"] for row in result["rows"]] == ["naive", "extra", "best", "gone"]
    assert [row["report"] for row in result["rows"]] == [*REPORTS.values(), None]
    assert result["rows"][0]["paper"] == {"fad": 4.3, "mirdd": 0.4}
    assert result["rows"][1]["paper"] == {} and result["rows"][3]["cell_mean"] is None


def test_cells(result):
    se = REPORTS["best"]["metrics"]["mirdd"]["se"]
    shown = f"+- {se:.2g}"
    missing = "n/a (no weights)"
    assert body.cells_of(result["rows"][2]) == [
        *("best", "4", missing, f"2 {shown}", f"7 {shown}", "0.5", "25.0"),
        *("3.10", "0.10"),
    ]
    assert body.cells_of(result["rows"][1])[-2:] == ["", ""]
    assert body.cells_of(result["rows"][3]) == [
        *("gone", "", *["not measured"] * 3, "", "", "2.00", "0.30")
    ]
    rows = body.table_rows(result, {"silent": REPORTS["extra"]})
    assert all(len(row) == len(body.HEADER) for row in rows)
    assert rows[-1][:2] == ["anchor: silent", "4"] and rows[-1][-2:] == ["", ""]
    read = list(csv.reader(io.StringIO(as_csv(body.HEADER, rows))))
    assert read == [list(body.HEADER), *rows]


def test_claims_of_fad_are_asked_of_fd_logmel(result):
    answers = {
        (c.metric, c.claim.lower): (c.verdict.answer, c.verdict.holds)
        for c in result["checks"]
    }
    assert answers == {
        (Metric.FAD, "best"): (Answer.MISSING, None),
        (Metric.FD_LOGMEL, "best"): (Answer.YES, True),
        (Metric.MIRDD, "best"): (Answer.NO, False),
        (Metric.MIRDD, "gone"): (Answer.MISSING, None),
    }
    for table in (TABLE_1, TABLE_2, TABLE_3):
        claims = body.claims_of(table)
        assert claims[Metric.FD_LOGMEL] == table.claims[Metric.FAD]
        assert claims[Metric.MIRDD] == table.claims[Metric.MIRDD]


def test_order_against_the_paper_s(result):
    """naive and best alone have a value and one of the paper: one pair each."""
    assert result["kendall_tau"] == {"fad": None, "fd_logmel": 1.0, "mirdd": -1.0}


def test_json_holds_no_nan_and_comes_back(result):
    plain = body.as_json(result)
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text) == plain
    first, *_ = (c for c in plain["checks"] if c["metric"] == "fd_logmel")
    # leave-outs differ by the same 7 in every group: the paired error is 0
    assert first["difference"] == -7 and first["se"] == pytest.approx(0, abs=1e-12)
    assert first["answer"] == "yes" and first["holds"] is True and first["strict"]
    missing = next(c for c in plain["checks"] if c["metric"] == "fad")
    assert missing["difference"] is None and missing["se"] is None
    assert missing["answer"] == "n/a" and missing["holds"] is None


def test_page(result):
    told = {"silent": REPORTS["extra"] | {"says": "no stem at all"}}
    page = body.page({3: [result]}, {4: told}, ["of these examples"])
    lines = page.splitlines()
    assert lines[0] == "# The paper's tables" and "- of these examples" in lines
    assert "## Table 3: By hand, 4 examples" in lines
    cells = " | ".join(body.cells_of(result["rows"][0]))
    assert f"| {cells} |" in lines
    assert any(line.startswith("| anchor: silent | 4 |") for line in lines)
    assert (
        "Order of the rows against the paper's, Kendall's tau-b: FAD n/a, FD-logmel"
        " 1.00, MIRDD -1.00." in lines
    )
    assert any(line.startswith("| best < naive | MIRDD | +6 +-") for line in lines)
    assert any(line.startswith("1 of 2 judged claims hold.") for line in lines)
    assert "**Few examples (4): no headline number.**" in lines
    assert "- silent: no stem at all" in lines
    assert "transcribers are closed" in page
    # headings and tables stand apart from what is before them
    for before, line in zip(lines, lines[1:], strict=False):
        if line.startswith("#") or (line.startswith("| row") or "| claim" in line):
            assert before == "", line
    large = body.page({3: [result | {"n": 400}]}, {}, [])
    assert "no headline" not in large and "Anchors" not in large


def test_the_other_reading_of_averaged(result):
    cells = [
        {"n": n, "metrics": {"fd_logmel": {"value": v, "se": 0.1}}}
        for n, v in ((28, 2.0), (27, 5.0))
    ]
    of_many = REPORTS | {"best": REPORTS["best"] | {"cells": cells}}
    found = body.measured(TABLE, of_many)
    assert found["rows"][2]["cell_mean"]["fd_logmel"] == 3.5
    assert found["rows"][2]["cell_mean"]["mirdd"] is None
    (line, _) = body.means_of_cells(found)
    assert line.startswith("Mean of the 2 cells of best: FD-logmel 3.5 (27 examples")
    assert body.means_of_cells(result) == []


def test_metrics_are_named_in_full():
    said = body.measured_by(REPORTS.values())
    assert said == "measured: FD-logmel[hand], MIRDD[hand]"


def test_rows_of_other_examples_are_refused():
    strange = REPORTS | {"best": REPORTS["best"] | {"ids": "others"}}
    with pytest.raises(UserError, match="'best' and 'naive'"):
        body.measured(TABLE, strange)


def test_a_table_with_nothing_measured():
    empty = {"n": 4} | body.measured(TABLE, {})
    assert empty["kendall_tau"] == {"fad": None, "fd_logmel": None, "mirdd": None}
    json.dumps(body.as_json(empty), allow_nan=False)
    assert "0 of 0 judged" in body.page({1: [empty]}, {}, [])

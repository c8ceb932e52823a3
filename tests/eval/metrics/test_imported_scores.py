"""Scores by other programs: means, errors, ratios, faulty files."""

import json

import numpy as np
import pytest

from stemjax.eval.metrics import compare, imported_scores
from stemjax.eval.metrics.jackknife import assign_groups
from stemjax.io.errors import UserError

IDS = [f"{k:03d}" for k in range(40)]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return imported_scores.read_named([f"COCOLA={path}"])


def rows(values, real=None, ids=IDS):
    """Text of a file."""
    if real is None:
        cells = zip(ids, values, strict=True)
        return "id,value\n" + "".join(f"{i},{v}\n" for i, v in cells)
    cells = zip(ids, values, real, strict=True)
    return "id,value,real\n" + "".join(f"{i},{v},{r}\n" for i, v, r in cells)


def test_means_and_errors_are_those_of_the_sample(tmp_path):
    rng = np.random.default_rng(0)
    values, real = rng.normal(2, 1, 40), rng.normal(4, 1, 40)
    tables = write(tmp_path / "a.csv", rows(values, real) + "other,9,9\n")
    group = assign_groups(IDS, num_groups=40)
    result = imported_scores.measure(tables, IDS, group)["COCOLA"]
    assert result["value"] == pytest.approx(values.mean())
    # with a group for each example the jackknife of a mean is its textbook error
    assert result["se"] == pytest.approx(values.std(ddof=1) / 40**0.5)
    assert result["real"]["value"] == pytest.approx(real.mean())
    assert result["real"]["se"] == pytest.approx(real.std(ddof=1) / 40**0.5)
    ratio = values.mean() / real.mean()
    assert result["ratio"]["value"] == pytest.approx(ratio)
    # the delta method; the two agree to order 1 / n
    spread = (values - ratio * real).std(ddof=1) / real.mean() / 40**0.5
    assert result["ratio"]["se"] == pytest.approx(spread, rel=0.05)
    assert (result["n"], result["ignored"]) == (40, 1)
    json.dumps(result, allow_nan=False)


def test_rows_are_found_by_id_not_by_place(tmp_path):
    values = np.arange(40.0)
    tables = write(tmp_path / "a.csv", rows(values[::-1], ids=IDS[::-1]))
    group = assign_groups(IDS)
    result = imported_scores.measure(tables, IDS, group)["COCOLA"]
    slow = [values[group != g].mean() for g in range(20)]
    np.testing.assert_allclose(result["groups"], slow)
    assert "real" not in result and "ratio" not in result


def test_what_both_systems_share_cancels_in_their_difference(tmp_path):
    rng = np.random.default_rng(1)
    shared = 10 * rng.normal(size=40)
    group = assign_groups(IDS)
    scores = []
    for k, noise in enumerate((0.1, 0.1)):
        values = shared + k + noise * rng.normal(size=40)
        tables = write(tmp_path / f"{k}.csv", rows(values))
        entry = imported_scores.measure(tables, IDS, group)
        scores.append({"metrics": {}, "imported": entry})
    result = compare.compare(*scores)["COCOLA"]
    assert result["difference"] == pytest.approx(-1, abs=4 * result["se"])
    assert result["se"] < 0.1 < scores[0]["imported"]["COCOLA"]["se"]
    assert result["verdict"] == "a lower"


def test_a_ratio_needs_real_scores_of_one_sign(tmp_path):
    values = np.ones(40)
    group = assign_groups(IDS)
    around = np.tile([1.0, -1.0], 20)
    tables = write(tmp_path / "a.csv", rows(values, around))
    ratio = imported_scores.measure(tables, IDS, group)["COCOLA"]["ratio"]
    assert ratio["value"] is None and "zero" in ratio["reason"]
    tables = write(tmp_path / "a.csv", rows(-values, -2 * values))
    ratio = imported_scores.measure(tables, IDS, group)["COCOLA"]["ratio"]
    assert (ratio["value"], ratio["se"]) == (0.5, 0)


def test_spreadsheets_write_marks_blanks_and_further_columns(tmp_path):
    text = "\ufeffname, value, id\nx, 1.5, a\ny, 2.5, b\n"
    tables = write(tmp_path / "a.csv", text)
    imported_scores.check_ids(tables, ["a", "b"])
    result = imported_scores.measure(tables, ["a", "b"], np.array([0, 1]))
    assert result["COCOLA"]["value"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1\nb,2\n", "no column 'id'"),
        ("id,score\na,1\n", "no column 'value'"),
        ("", "no column 'id'"),
        ("id,value\na,1\na,2\n", "line 3: the id 'a' occurs twice"),
        ("id,value\na,one\n", "line 2: 'one' is not a number"),
        ("id,value\na,nan\n", "line 2: 'nan' is not a number"),
        ("id,value\na\n", "line 2: '' is not a number"),
        ("id,value,real\na,1,\n", "line 2: '' is not a number"),
    ],
)
def test_faults_of_a_file_name_it(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as fault:
        write(tmp_path / "a.csv", text)
    assert str(tmp_path / "a.csv") in str(fault.value)


def test_missing_rows_names_and_files(tmp_path):
    tables = write(tmp_path / "a.csv", "id,value\na,1\n")
    imported_scores.check_ids(tables, ["a"])
    with pytest.raises(UserError, match="a.csv: no row of the example 'b'"):
        imported_scores.check_ids(tables, ["a", "b"])
    path = tmp_path / "a.csv"
    for texts, message in (
        ([f"{path}"], "give NAME=FILE.csv"),
        (["A="], "give NAME=FILE.csv"),
        ([f"A={path}", f"A={path}"], "the name 'A' is taken"),
        ([f"fad={path}"], "the name 'fad' is taken"),
        ([f"A={tmp_path / 'none.csv'}"], "none.csv: no such file"),
    ):
        with pytest.raises(UserError, match=message):
            imported_scores.read_named(texts)

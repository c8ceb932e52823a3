"""Tables of several scores: cells, differences, refusals, what is said of fit."""

import csv
import io
import json

import numpy as np
import pytest

from stemjax.cli.evaluate.report import row_names
from stemjax.eval.metrics.jackknife import from_leave_outs
from stemjax.eval.metrics.score_file import read_score
from stemjax.eval.reports import overview, report
from stemjax.io.errors import UserError

SIZES = np.array([100, 100, 100])


def entry(label, value, groups, **more):
    found = from_leave_outs(value, np.array(groups), SIZES)
    return {
        "id": label,
        "value": value,
        "se": found.se,
        "corrected": -99.0,  # differs from the value
        "groups": list(groups),
        "sizes": SIZES.tolist(),
        "status": "ok",
    } | more


def score(fd, mirdd, *, fit=0.5, remoteness=0.3, **more):
    descriptors = {
        "key": {"kl": mirdd / 2, "reverse": 0.0, "js": 0.0},
        "triads": {"kl": mirdd, "reverse": 0.0, "js": 0.0},
    }
    near = [fd - 1, fd, fd + 1]
    plain = {"real": {"value": 0.8, "se": 0.01}, "shuffled": 0.2}
    return {
        "format": 1,
        "n": 300,
        "ids": "a",
        "references": "b",
        "seed": 0,
        "headline": True,
        "silent": {"generated": 3, "real": 0, "dropped": 0},
        "metrics": {
            "fad": {"id": "FAD", "value": None, "reason": "no weights (nowhere)"},
            "fd_logmel": entry("FD-logmel[google]", fd, near, kad=12.5),
            "mirdd": entry(
                "MIRDD[salience]",
                mirdd,
                [mirdd, mirdd + 0.01, mirdd - 0.01],
                null={"median": 0.02, "p95": 0.04},
                js=0.015,
                by_descriptor=descriptors,
            ),
        },
        "related": {
            "apa": {
                "logmel": entry("APA[logmel]", fit, [fit] * 3, remoteness=remoteness)
            },
            "beat_alignment": entry("beats", 0.4, [0.4] * 3, ratio=None, **plain)
            | {
                "any_level": {
                    "id": "beats at any level",
                    "value": None,
                    "reason": "no context and real stem both have 4 beats",
                    "counted": 0,
                }
            },
            "chroma_cosine": entry(
                "chroma", 0.6, [0.6] * 3, ratio={"value": 0.75, "se": 0.02}, **plain
            ),
        },
        "imported": {"COCOLA": entry("COCOLA", 2.0, [1.9, 2.0, 2.1], n=300, ignored=7)},
    } | more


SCORES = {
    "best": score(10.0, 0.1),
    "na|ive": score(40.0, 0.1),
    "third": score(9.5, 0.2),
}


def test_the_table_has_a_row_a_score():
    found = overview.overview(SCORES)
    table = list(csv.DictReader(io.StringIO(overview.csv(found))))
    assert [row["config"] for row in table] == ["best", "na|ive", "third"]
    se = SCORES["best"]["metrics"]["fd_logmel"]["se"]
    assert table[0] == {
        "config": "best",
        "n": "300",
        "FAD": "n/a (no weights)",
        "FD-logmel": f"10 +- {se:.2g}",
        "KAD (log-mel)": "12.5",
        "MIRDD": f"0.1 +- {SCORES['best']['metrics']['mirdd']['se']:.2g}",
        "null median": "0.02",
        "JS": "0.015",
        "silent %": "1.0",
    }
    page = overview.markdown(found, SCORES)
    assert r"| na\|ive | 300 |" in page and "**" not in page
    assert "FD-logmel[google], MIRDD[salience]" in page
    # the bias-corrected values of few examples are not set beside the others
    assert "-99" not in page
    latex = overview.latex(found)
    assert latex.startswith(r"\begin{tabular}{lrrrrrrrr}") and r"silent \%" in latex
    assert latex.count(r"\\") == 4 and r"10 $\pm$" in latex


def test_differences_are_paired_and_from_the_first():
    rows = overview.overview(SCORES).differences.rows
    found = {(name, metric): cells for name, metric, *cells in rows}
    # groups that move together: the difference has no error, though each score has one
    assert found["na|ive", "FD-logmel"] == ["+30 +- 0", "higher"]
    assert found["third", "FD-logmel"] == ["-0.5 +- 0", "lower"]
    assert found["na|ive", "MIRDD"] == ["+0 +- 0", "within noise"]
    assert ("best", "FD-logmel") not in found and ("third", "FAD") not in found
    assert found["third", "COCOLA"] == ["+0 +- 0", "within noise"]
    crossed = score(11.0, 0.1)
    crossed["metrics"]["fd_logmel"] = entry("FD-logmel[google]", 11.0, [13, 11, 9])
    table = overview.overview({"a": SCORES["best"], "b": crossed}).differences
    assert table.rows[0][3] == "within noise"


def test_descriptors_stand_in_their_own_order():
    scores = {
        name: json.loads(json.dumps(s, sort_keys=True)) for name, s in SCORES.items()
    }
    by_name = scores["third"]["metrics"]["mirdd"]["by_descriptor"]
    by_name["pitch_range"] = {"kl": 0.3}
    for name in ("best", "na|ive"):
        of_other = scores[name]["metrics"]["mirdd"]["by_descriptor"]
        of_other["pitch_range"] = {"kl": 0.03}
    table = overview.overview(scores).descriptors
    assert table.header == ["descriptor", "best", "na|ive", "third"]
    assert table.rows == [
        ["key", "0.0500", "0.0500", "0.1000"],
        ["pitch range", "0.0300", "0.0300", "0.3000"],
        ["triads", "0.1000", "0.1000", "0.2000"],
    ]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("ids", "examples"),
        ("references", "real stems"),
        ("seed", "seeds of the groups"),
    ],
)
def test_scores_of_other_examples_share_no_table_unless_forced(field, said, tmp_path):
    scores = SCORES | {"third": score(9.5, 0.2, **{field: "other"})}
    with pytest.raises(
        UserError, match=f"third and best have different {said}.*--force"
    ):
        overview.overview(scores)
    found = overview.overview(scores, forces=True)
    assert found.footnotes == [f"Not comparable: third and best have different {said}."]
    assert f"**{found.footnotes[0]}**" in overview.markdown(found, scores)
    assert overview.latex(found).startswith(f"% {found.footnotes[0]}\n")
    assert [row[:2] for row in found.differences.rows if row[0] == "third"] == [
        ["third", "all"]
    ]
    whole = overview.as_json(scores, found)
    assert set(whole["differences"]) == {"na|ive"}
    assert whole["names"] == list(scores)
    json.dumps(whole, allow_nan=False)


def test_versions_of_a_metric_share_no_table():
    fads = {
        name: {"fad": entry(f"FAD[{preset}]", 3.0, [3.0] * 3, kad=1.0)}
        for name, preset in (("b", "google"), ("c", "gudgud"))
    }
    scores = {"a": score(10.0, 0.1), "b": score(10.0, 0.1), "c": score(10.0, 0.1)}
    for name, fad in fads.items():
        scores[name]["metrics"] |= fad
    # though the first has neither
    with pytest.raises(UserError, match=r"c has FAD\[gudgud\], b FAD\[google\]"):
        overview.overview(scores)


def test_few_examples_and_kad_of_vggish_are_named():
    fad = entry("FAD[google]", 3.0, [3.0] * 3, kad=1.25)
    scores = {"a": score(10.0, 0.1, n=24)}
    scores["a"]["metrics"]["fad"] = fad
    found = overview.overview(scores)
    assert found.scores.rows[0][found.scores.header.index("KAD (VGGish)")] == "1.25"
    assert found.differences.rows == []
    page = overview.markdown(found, scores)
    assert "**Few examples (a): no headline numbers.**" in page
    assert "Paired differences" not in page


def test_fit_has_no_corrected_values_and_warns_of_remote_stems():
    page = report.markdown(SCORES["best"], "Score")
    assert "| APA[logmel] | 0.5 +- 0 |  |  |  |" in page
    assert "| beats | 0.4 +- 0 | 0.8 +- 0.01 |  | 0.2 |" in page
    assert (
        "| beats at any level | n/a (no context and real stem both have 4 beats) |"
        in page
    )
    assert "| chroma | 0.6 +- 0 | 0.8 +- 0.01 | 0.75 +- 0.02 | 0.2 |" in page
    assert "| COCOLA | 2 +- " in page
    assert "COCOLA: ignored 7 rows of other examples." in page
    fit = page[page.index("| score |") :]
    assert "-99" not in fit and "Warning" not in fit
    remote = score(10.0, 0.1, fit=1.0, remoteness=1.2)
    warned = report.markdown(remote, "Score")
    assert "**Warning:** APA[logmel]" in warned and "remoteness 1.2, above 1" in warned
    found = overview.overview({"best": SCORES["best"], "quiet": remote})
    assert [note.split(":")[0] for note in found.notes] == ["best", "quiet", "quiet"]
    bare = {k: v for k, v in remote.items() if k not in ("related", "imported")}
    assert "| score |" not in report.markdown(bare, "Score")


def test_the_picture_is_of_what_there_is(tmp_path):
    path = tmp_path / "a.png"
    assert overview.save_picture(path, SCORES)
    assert path.read_bytes()[1:4] == b"PNG"
    bare = score(1.0, 1.0) | {"metrics": {}}
    assert not overview.save_picture(tmp_path / "b.png", {"a": bare})
    assert not (tmp_path / "b.png").exists()


def test_rows_are_named_by_folders_or_by_hand(tmp_path):
    text = json.dumps(SCORES["best"])
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(text)
    (tmp_path / "row 1.json").write_text(text)
    paths = [f"{tmp_path}/x", f"{tmp_path}/y/metrics.json", f"{tmp_path}/row 1.json"]
    assert row_names(paths, ()) == ["x", "y", "row 1"]
    assert all(read_score(path)["n"] == 300 for path in paths)
    assert row_names(paths, ["a", "b", "c"]) == ["a", "b", "c"]
    for given, names, said in (
        ([], [], "give metrics.json"),
        (paths, ["a"], "1 --name for 3 scores"),
        (paths[:1] * 2, [], "'x' is empty or occurs twice"),
        (paths[:1], [" "], "' ' is empty"),
    ):
        with pytest.raises(UserError, match=said):
            row_names(given, names)

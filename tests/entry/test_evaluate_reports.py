"""evaluate.py's small commands: score --only, per-clip, report, imported scores."""

import csv
import json
import pathlib

import numpy as np
import pytest
import soundfile

from tests.cli.evaluate.in_process import error_line, evaluate

RATE, SECONDS, N = 16_000, 2, 6
pytestmark = pytest.mark.entry


@pytest.fixture(autouse=True)
def without_vggish(monkeypatch, tmp_path):
    """Hide the VGGish weights of this machine."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("STEMJAX_VGGISH", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of tones; the stem 3 is noise, the music of `moved` is a fourth higher."""
    root = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    time = np.arange(SECONDS * RATE) / RATE
    for k in range(N):
        pitch = 60 + k % 3
        tone = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time)
        hiss = rng.normal(size=(3, len(time)))
        files = {
            "context": 0.01 * hiss[0],
            "real": tone + 0.01 * hiss[1],
            "generated": 0.2 * hiss[2] if k == 3 else tone + 0.01 * hiss[2],
        }
        for role, audio in files.items():
            (root / role).mkdir(exist_ok=True)
            soundfile.write(root / role / f"{k}.wav", audio, RATE, "PCM_24")
        for name, higher in (("alike", 0), ("moved", 5)):
            for role, up in (("real", 0), ("generated", higher)):
                folder = root / name / role
                folder.mkdir(parents=True, exist_ok=True)
                music = {
                    "extractor": "lab",
                    "notes": [[0, 1, pitch + up], [1, 2, pitch + up + 4]],
                    "beats": [[0.5 * b, b % 3 + 1] for b in range(4)],
                    "key": "C:maj",
                    "chords": [[0, 2, "C:maj7"]],
                    "sections": [[0, 2, "verse"]],
                    "percussive_onsets": [],
                }
                (folder / f"{k}.json").write_text(json.dumps(music))
    return root


def test_mirdd_of_imported_music_and_a_report_of_two(run, tmp_path):
    found = {}
    for name in ("alike", "moved"):
        printed = evaluate(
            *("score", "--only", "mirdd", "--run", run),
            *("--descriptors-from", run / name, "--out", tmp_path / name),
        ).stdout
        found[name] = json.loads((tmp_path / name / "metrics.json").read_text())
        entry = found[name]["metrics"]["mirdd"]
        line = f"{entry['value']:.4g} +- {entry['se']:.2g} (n=6)"
        assert printed == f"MIRDD[descriptors=lab] {line}\n"
    entry = found["alike"]["metrics"]["mirdd"]
    assert entry["value"] == 0
    entry = found["moved"]["metrics"]["mirdd"]
    by_name = entry["by_descriptor"]
    assert by_name["key"]["kl"] == 0 < by_name["pitches"]["kl"] < entry["value"] * 11
    scores = [tmp_path / "alike", tmp_path / "moved" / "metrics.json"]
    page = evaluate("report", *scores, "--out", tmp_path / "out").stdout
    assert f"| moved | MIRDD | +{entry['value']:.4g} +- " in page
    written = {path.name: path for path in (tmp_path / "out").iterdir()}
    names = {f"report.{suffix}" for suffix in ("md", "csv", "tex", "json", "png")}
    assert set(written) == names
    assert written["report.md"].read_text() == page
    rows = list(csv.DictReader(written["report.csv"].read_text().splitlines()))
    assert [(row["config"], row["n"]) for row in rows] == [
        ("alike", "6"),
        ("moved", "6"),
    ]
    whole = json.loads(written["report.json"].read_text())
    assert whole["differences"]["moved"]["mirdd"]["difference"] == entry["value"]
    # a score of other examples is refused, and nothing is written
    found["moved"]["ids"] = "other"
    (tmp_path / "other.json").write_text(json.dumps(found["moved"]))
    scores[1] = tmp_path / "other.json"
    refused = ("report", *scores, "--out", tmp_path / "none")
    assert "other and alike have different examples" in error_line(*refused)
    assert not (tmp_path / "none").exists()
    assert "Not comparable" in evaluate(*refused, "--force").stdout


def test_clips_far_from_the_real_ones_come_first(run, tmp_path):
    out = tmp_path / "clips.csv"
    line = evaluate(
        "per-clip", "--run", run, "--fad-preset", "gudgud", "--out", out
    ).stdout
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["file"] for row in rows][0] == "3.wav" and len(rows) == N
    assert float(rows[0]["fd_logmel"]) > 2 * float(rows[1]["fd_logmel"])
    assert line.splitlines()[1].startswith("3.wav") and "of real clips" in line
    assert str(run) not in out.read_text()


@pytest.mark.slow
def test_scores_made_elsewhere_stand_in_the_report(run, tmp_path):
    folders = ("--real", run / "real", "--generated", run / "generated")
    table = tmp_path / "cocola.csv"
    lines = [f"{k},{k},{2 * k + 1}" for k in range(N)]
    table.write_text("\n".join(["id,value,real", *lines]) + "\n")
    out = ("--out", tmp_path / "out")
    page = evaluate("score", *folders, *out, "--scores", f"COCOLA={table}").stdout
    assert "| COCOLA | 2.5 +- " in page and "| 6 +- " in page and "| 0.4167 +- " in page
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert report["imported"]["COCOLA"]["ratio"]["value"] == 15 / 36


def test_errors_take_one_line_before_the_work(run, tmp_path):
    def refused(*words):
        line = error_line(*words, "--out", tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return line

    line = refused("score", "--only", "fad", "--run", run)
    assert "VGGish weights not found" in line and "convert-vggish" in line
    folders = ("--real", run / "real", "--generated", run / "generated")
    assert "give --context" in refused("score", "--only", "mirdd", *folders)
    table = tmp_path / "short.csv"
    table.write_text("id,value\n0,1\n")
    line = refused("score", *folders, "--scores", f"A={table}")
    assert "short.csv: no row of the example '1'" in line
    line = refused("score", *folders, "--descriptors-from", run / "alike")
    assert "give --context" in line
    (run / "alike" / "real" / "5.json").rename(run / "alike" / "real" / "6.json")
    line = refused(
        "score", "--only", "mirdd", "--run", run, "--descriptors-from", run / "alike"
    )
    assert f"{pathlib.Path('real') / '5.json'}: no such file" in line
    assert "no such file" in refused("report", tmp_path / "none.json")

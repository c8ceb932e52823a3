"""evaluate.py as a person uses it: pairs, stems, scores, a comparison, a fault."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.entry


def evaluate(*args, code: int = 0) -> subprocess.CompletedProcess:
    command = [sys.executable, "evaluate.py", *map(str, args)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == code, run.stderr
    return run


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Three composed songs, in the test split, as a prepared folder."""
    root = tmp_path_factory.mktemp("songs")
    for args in (
        [
            "stemjax.data.render",
            "--out",
            root / "slakh",
            "--songs",
            "3",
            "--seconds",
            "20",
        ],
        ["stemjax.data.prepare", "--layout", "slakh", "--input", root / "slakh"],
    ):
        more = [] if args[0] == "stemjax.data.render" else ["--out", root / "prepared"]
        subprocess.run(
            [sys.executable, "-m", *map(str, args), *map(str, more)],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
    manifest = json.loads((root / "prepared" / "manifest.json").read_text())
    split = next(s["split"] for s in manifest["songs"])
    return root / "prepared", split


def test_from_a_prepared_folder_to_a_comparison(prepared, tmp_path):
    data, split = prepared
    pairs = tmp_path / "pairs.jsonl"
    evaluate(
        *("make-manifest", "--data", data, "--out", pairs, "--split", split),
        *("--n", 5, "--seconds", 2),
    )
    run, cache = tmp_path / "run", tmp_path / "cache"
    common = ("generate", "--manifest", pairs, "--data", data, "--out", run)
    evaluate(*common, "--preset", "fast", "--shard", "0/2")
    assert len(list((run / "generated").iterdir())) == 3  # rows 0, 2, 4
    evaluate(*common, "--preset", "fast")
    names = [f"{k:05d}.flac" for k in range(5)]
    for role in ("real", "generated", "context"):
        assert sorted(p.name for p in (run / role).iterdir()) == names
        audio, rate = soundfile.read(run / role / names[0])
        assert (len(audio), rate) == (64_000, 32_000)
    said = evaluate(*common, "--preset", "naive", code=2).stderr
    assert "its decode is another" in said and said.count("\n") == 1

    scored = ("score", "--cache", cache, "--run", run)
    page = evaluate(*scored, "--out", tmp_path / "a").stdout
    assert "| FD-logmel |" in page and "| MIRDD |" in page
    if "FAD | n/a" in page:  # without weights: the reason, and the mend
        assert "convert-vggish" in page
    for written in (tmp_path / "a").iterdir():
        assert str(pathlib.Path.home()) not in written.read_text()
    # the real stems as a system's: at no distance, and nearer than the model's
    evaluate(*scored, "--generated", run / "real", "--out", tmp_path / "b")
    a, b = (
        json.loads((tmp_path / name / "metrics.json").read_text())["metrics"]
        for name in "ab"
    )
    assert b["mirdd"]["value"] == 0 and b["fd_logmel"]["value"] < 1e-6
    assert a["mirdd"]["value"] > 0 and a["fd_logmel"]["value"] > 1
    first = (tmp_path / "a" / "metrics.json").read_bytes()
    evaluate(*scored, "--out", tmp_path / "a")
    assert (tmp_path / "a" / "metrics.json").read_bytes() == first
    out = tmp_path / "difference.json"
    args = ("--a", tmp_path / "a", "--b", tmp_path / "b", "--out", out)
    evaluate("compare", *args)
    found = json.loads(out.read_text())["fd_logmel"]
    assert found["difference"] == pytest.approx(a["fd_logmel"]["value"])
    assert found["b"] < found["a"]


def write(path, hertz, seconds=2.0, rate=32_000, channels=1):
    time = np.arange(round(seconds * 32_000)) / 32_000
    wave = 0.3 * np.sin(2 * np.pi * hertz * time) * (time % 0.5 < 0.3)
    if hertz:  # what coding adds is below it
        wave += 0.02 * np.random.default_rng(0).normal(size=len(time))
    wave = soxr.resample(wave, 32_000, rate)
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.stack([wave] * channels, axis=1), rate)


def test_any_format_and_rate_counts_the_same(tmp_path):
    """The same tones as 32 kHz wav and as wav, flac, ogg, mp3 of other rates."""
    kinds = [("wav", 44_100), ("flac", 96_000), ("ogg", 22_050), ("mp3", 48_000)]
    for k in range(8):
        hertz = 200 + 100 * k
        suffix, rate = kinds[k % 4]
        for role in ("real", "context"):
            write(tmp_path / role / f"{k}.wav", hertz)
        write(tmp_path / "same" / f"{k}.wav", 1.3 * hertz)
        other = tmp_path / "other" / f"{k}.{suffix}"
        write(other, 1.3 * hertz, rate=rate, channels=1 + k % 2)
    found = {}
    for name in ("same", "other"):
        evaluate(
            *("score", "--real", tmp_path / "real", "--generated", tmp_path / name),
            *("--context", tmp_path / "context", "--cache", tmp_path / "cache"),
            *("--out", tmp_path / f"score-{name}"),
        )
        text = (tmp_path / f"score-{name}" / "metrics.json").read_text()
        found[name] = json.loads(text)
    assert found["same"]["n"] == found["other"]["n"] == 8
    a, b = (found[name]["metrics"]["fd_logmel"] for name in ("same", "other"))
    # what coding and resampling add is small beside what another pitch does
    assert abs(a["value"] - b["value"]) < 0.2 * a["value"]
    a, b = (found[name]["related"]["beat_alignment"] for name in ("same", "other"))
    assert a["real"]["value"] == b["real"]["value"] == 1


def test_silent_stems_are_counted_and_dropped_on_request(tmp_path):
    for k in range(6):
        write(tmp_path / "real" / f"{k}.wav", 300 + 50 * k)
        write(tmp_path / "generated" / f"{k}.wav", 310 + 50 * k if k else 0)
    folders = ("--real", tmp_path / "real", "--generated", tmp_path / "generated")
    common = ("score", *folders, "--cache", tmp_path / "cache", "--out", tmp_path / "a")
    page = evaluate(*common).stdout
    assert "6 examples; silent: 1 generated (0 dropped)" in page
    page = evaluate(*common, "--drop-silent").stdout
    assert "5 examples; silent: 1 generated (1 dropped)" in page
    # a clip without its partner, and one that is too short, are named
    write(tmp_path / "generated" / "6.wav", 300)
    said = evaluate(*common, code=2).stderr
    assert "6.wav: no 6.wav" in said and said.count("\n") == 1
    write(tmp_path / "real" / "6.wav", 300, seconds=0.5)
    said = evaluate(*common, code=2).stderr
    assert "6.wav: 0.50 s is shorter than 1 s" in said and said.count("\n") == 1


def test_faults_take_one_line(tmp_path):
    def refused(*args):
        said = evaluate(*args, code=2).stderr
        assert said.startswith("error: ") and said.count("\n") == 1
        assert not (tmp_path / "out").exists()
        return said

    out = ("--out", tmp_path / "out")
    assert "give --run, or" in refused("score", *out)
    assert "no such folder" in refused("score", "--run", tmp_path / "none", *out)
    for role in ("real", "generated"):
        (tmp_path / role).mkdir()
        soundfile.write(tmp_path / role / "a.wav", [0.1] * 32_000, 32_000)
    folders = ("--real", tmp_path / "real", "--generated", tmp_path / "generated")
    assert "1 examples: 4 or more" in refused("score", *folders, *out)
    assert "unknown metric" in refused("score", *folders, *out, "--require", "fid")
    (tmp_path / "real" / "a.wav").write_bytes(b"no audio")
    assert "a.wav: not an audio file" in refused("score", *folders, *out)
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"no weights")
    assert "w.pth" in refused("convert-vggish", weights, tmp_path / "w.safetensors")

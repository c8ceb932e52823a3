"""The recipe's order, plans and resumption, over stand-ins for the long commands."""

import json
import signal
import sys

import pytest

from recipes import bundle_on_gpu, commands, parcel, running, stages
from tests.entry.programs import run

pytestmark = pytest.mark.entry

# a train.py that learns nothing; runs, stores and exports leave what the recipe reads
TRAIN = """
import json, pathlib, sys
preset, *rest = sys.argv[1:]
given = {k[2:]: v for k, v in zip(rest[::2], rest[1::2])}
with open(pathlib.Path(__file__).with_name("calls"), "a") as file:
    file.write(json.dumps({"preset": preset, **given}) + "\\n")
if preset == "tokens":
    pathlib.Path(given["out"]).mkdir()
    sys.exit()
workdir = pathlib.Path(given["workdir"])
series = workdir / "checkpoints"
steps = [int(p.name) for p in series.glob("*")]
if preset == "export":
    out = pathlib.Path(given["out"])
    out.mkdir(parents=True, exist_ok=True)
    config = {"steps": max(steps), "name": given["name"], "dtype": given["dtype"]}
    (out / "config.json").write_text(json.dumps(config))
    sys.exit()
series.mkdir(parents=True, exist_ok=True)
step, last = max(steps, default=0), int(given["steps"])
end = last if workdir.name == "trial" else min(last, STOP_AT)
while step < end:
    step += 1
    if step % int(given["loop.log-every"]) == 0:
        line = {"step": step, "loss": 1 / step, "steps_per_second": 5.0}
        with (workdir / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\\n")
(series / str(step)).mkdir(exist_ok=True)
sys.exit(0 if step == last else 143)
"""
SONGS = """
import pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
(pathlib.Path(given["--out"]) / "songs" / "Track00001").mkdir(parents=True)
"""
FLAGS = (
    *("--presets.codec", "codec-tiny", "--presets.sharpen", "codec-mini"),
    *("--presets.model", "stemgen-tiny", "--presets.long", "stemgen-finetune"),
)


@pytest.fixture
def recipe(tmp_path, monkeypatch, capsys):
    """(call, seen): one call of the recipe -> its JSON lines; commands so far."""
    monkeypatch.setattr(stages, "START_SECONDS", 0.0)
    for module in (stages, bundle_on_gpu):
        monkeypatch.setattr(module, "RESERVE_SECONDS", 4.0)
    handler = signal.getsignal(signal.SIGTERM)

    def run_or_stop(*args, **options):
        """A stand-in that ends before its last step was stopped by the clock."""
        try:
            return running.run(*args, **options)
        except running.CommandFailed:
            return running.Ending(1.0, True)

    monkeypatch.setattr(stages, "run", run_or_stop)

    def call(*flags, work="work", stop_at=10**9):
        text = TRAIN.replace("STOP_AT", repr(stop_at))
        (tmp_path / "train.py").write_text(text)
        (tmp_path / "songs.py").write_text(SONGS)
        for name, file in (("TRAIN", "train.py"), ("TRAINING_SET", "songs.py")):
            stub = (sys.executable, str(tmp_path / file))
            monkeypatch.setattr(commands, name, stub)
        folders = ("--work", tmp_path / work, "--out", tmp_path / "out")
        bundle_on_gpu.main([*map(str, folders), *FLAGS, *map(str, flags)])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def seen():
        lines = (tmp_path / "calls").read_text().splitlines()
        return [json.loads(line) for line in lines]

    yield call, seen
    signal.signal(signal.SIGTERM, handler)


def test_one_call_does_all_in_order(recipe, tmp_path):
    call, seen = recipe
    said = call("--minutes", 5, "--steps-of.codec", 40, "--version", "9",
                "--minutes-of.model", 1, "--minutes-of.long", 0.1,
                "--batch-of.model", 7)  # fmt: skip
    assert [line["phase"] for line in said] == (
        "songs codec sharpen tokens model long parcel end".split()
    )
    assert said[-1]["is_whole"] and said[0]["songs"] == 1
    work = tmp_path / "work"
    runs = [c for c in seen() if c["preset"] not in ("tokens", "export")]
    trials, whole = runs[::2], runs[1::2]
    assert all(c["workdir"] == f"{work}/trial" for c in trials)
    assert not (work / "trial").exists()
    assert [c["preset"] for c in whole] == (
        "codec-tiny codec-mini stemgen-tiny stemgen-finetune".split()
    )
    assert [c.get("init-from") for c in whole] == [
        None, f"{work}/releases/codec", None, f"{work}/releases/model",
    ]  # fmt: skip
    bundled = f"{work}/bundle/codec-mini"
    assert [c.get("codec") for c in whole] == [None, None, bundled, bundled]
    prepared, store = f"{work}/data/prepared", f"{work}/tokens"
    assert [c["data"] for c in whole] == [prepared, prepared, store, store]
    # at most what was asked; else 0.85 of the seconds at 5 steps a second
    planned = [int(c["steps"]) for c in whole]
    assert planned[0] == 40 and planned[2] > 100
    assert 10 <= planned[3] <= 6 * 5 * 0.85
    assert whole[2]["batch-size"] == "7"
    exports = [c for c in seen() if c["preset"] == "export"]
    assert [c["name"] for c in exports] == ["codec-mini"] * 2 + ["stemgen-mini"] * 2
    assert {(c["dtype"], c["version"]) for c in exports} == {("bf16", "9")}
    parcel.unpack(tmp_path / "out", tmp_path / "back")
    found = {str(p.relative_to(tmp_path / "back"))
             for p in (tmp_path / "back").rglob("*") if p.is_file()}  # fmt: skip
    assert found == {
        "progress.json", "codec-mini/config.json", "stemgen-mini/config.json",
        "codec-mini/codec.metrics.jsonl", "codec-mini/sharpen.metrics.jsonl",
        "stemgen-mini/model.metrics.jsonl", "stemgen-mini/long.metrics.jsonl",
    }  # fmt: skip
    count = len(seen())
    assert call()[-1]["is_whole"] and len(seen()) == count  # nothing is done twice


def stopped_call(call):
    """Stopped at step 17 of the codec's 40; returns 17."""
    said = call("--minutes", 5, "--steps-of.codec", 40, stop_at=17)
    assert [line["phase"] for line in said] == ["songs", "codec", "parcel", "end"]
    assert not said[-1]["is_whole"] and not said[1]["is_whole"]
    assert (said[1]["done"], said[1]["steps"]) == (17, 40)
    return 17


def test_a_stopped_call_goes_on_in_its_folder(recipe):
    call, seen = recipe
    stopped_call(call)
    before = [c for c in seen() if c["preset"] == "codec-tiny"][-1]
    count = len(seen())
    assert call("--minutes", 5, "--minutes-of.model", 1)[-1]["is_whole"]
    again = seen()[count]
    assert again == before  # the same command, no trial, no songs


def test_on_another_machine_it_goes_on_from_the_parcel(recipe, tmp_path):
    call, seen = recipe
    done = stopped_call(call)
    count = len(seen())
    parts = tmp_path / "brought"
    (tmp_path / "out").rename(parts)
    said = call("--minutes", 5, "--minutes-of.model", 1, "--start-from", parts,
                work="elsewhere")  # fmt: skip
    assert said[-1]["is_whole"] and said[0]["phase"] == "songs"
    rest = seen()[count]
    work = tmp_path / "elsewhere"
    assert rest["preset"] == "codec-tiny" and rest["steps"] == str(40 - done)
    assert rest["workdir"] == f"{work}/runs/codec-from-{done}"
    assert rest["init-from"] == f"{work}/releases/brought/codec-mini"
    assert said[1]["done"] == 40
    names = {p.name for p in (work / "bundle" / "codec-mini").iterdir()}
    assert {"codec.metrics.jsonl", f"codec-from-{done}.metrics.jsonl"} <= names


def test_a_stage_waits_where_less_than_half_of_its_minutes_is_left(recipe):
    call, seen = recipe
    said = call("--minutes", 0.5, "--minutes-of.codec", 5)
    assert [line["phase"] for line in said] == ["songs", "codec", "end"]
    assert said[1] == {"phase": "codec", "is_whole": False,
                       "waits_for": "the next call", "left": said[1]["left"]}  # fmt: skip


@pytest.mark.parametrize(
    "flags, said",
    [
        (("--share", "0"), "--share 0.0: give a number above 0, at most 1"),
        (("--minutes-of.codec", "0"), "--minutes-of.codec 0.0: give more than 0"),
        (("--presets.model", "none"), "--presets.model none: one of stemgen-slakh, "),
        (("--midi", "nowhere"), "--midi nowhere does not exist: check the path"),
        (("--start-from", "nowhere"), "--start-from nowhere is no folder"),
    ],
)
def test_bad_input_is_one_line(recipe, capsys, flags, said):
    call, _ = recipe
    with pytest.raises(SystemExit, match="2"):
        call(*flags)
    message = capsys.readouterr().err
    assert message.startswith("error: " + said) and message.count("\n") == 1


def test_as_a_user_types_it(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").touch()
    folders = ("--work", tmp_path / "work", "--out", out)
    done = run("-m", "recipes.bundle_on_gpu", *folders, *FLAGS, code=2)
    assert done.stderr == (
        f"error: --out {out} holds other files: give a folder of its own\n"
    )
    assert not (tmp_path / "work").exists()

"""evaluate.py tables and sweep on the bundled codec and a model with random weights."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import soundfile

from stemjax import codec
from stemjax.eval.populations.decoding_run import deal
from stemjax.eval.populations.store import read_rows
from tests.cli.evaluate.in_process import error_line
from tests.entry.random_release import write_random_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.entry, pytest.mark.slow]

N, FEW = 6, 4  # examples of the tables and of the sweeps
# running is most of the time here, so programs are compiled as a user's are
ENV = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0", "XLA_FLAGS": ""}
SECONDS = 5
STEPS = (2, 1, 1, 1)
TWO_ROWS = f"""
[[row]]
name = "best"
steps = {list(STEPS)}
[[row]]
name = "naive"
guidance = "none"
w_causal = 0
steps = {list(STEPS)}
"""
THIRD_ROW = f"""
[[row]]
name = "hot"
temperature = 1.2
steps = {list(STEPS)}
"""


def command(*args) -> list[str]:
    return [sys.executable, "evaluate.py", *map(str, args)]


def evaluate(*args, code: int = 0) -> subprocess.CompletedProcess:
    run = subprocess.run(
        command(*args), cwd=ROOT, env=ENV, capture_output=True, text=True, check=False
    )
    assert run.returncode == code, run.stderr
    return run


def files_of(folder: pathlib.Path) -> dict[pathlib.Path, tuple[int, int]]:
    """Each file of a folder with its size and time."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        p.relative_to(folder): (p.stat().st_size, p.stat().st_mtime_ns) for p in found
    }


def stems_of(folder: pathlib.Path) -> dict[pathlib.Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes()
        for path in (folder / "stems").rglob("[!.]*.flac")
    }


def analysed(cache: pathlib.Path) -> dict[str, int]:
    """How many clips each stage of the cache holds."""
    return {f.name.rsplit("-", 1)[0]: len(read_rows(f)) for f in cache.iterdir()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with the model in it."""
    folder = tmp_path_factory.mktemp("tables")
    own = codec.load("codec-mini")
    write_random_model(folder / "model", own, "codec-mini", 50 * SECONDS, STEPS)
    return folder


def run_tables(root, *more):
    return evaluate(
        *("tables", 1, 2, 3, "--checkpoint", root / "model", "--n", N, "--fast"),
        *("--steps", *STEPS),
        *("--out", root / "tables", "--cache", root / "cache", *more),
    )


def sweep_args(root, grid, out, *more):
    return (
        *("sweep", grid, "--checkpoint", root / "model"),
        *("--n", FEW, "--seconds", SECONDS),
        *("--out", out, "--cache", root / "cache", *more),
    )


@pytest.fixture(scope="module")
def tables(root):
    """The three tables, and what was printed."""
    printed = run_tables(root).stdout
    return json.loads(
        (root / "tables" / "tables.json").read_text(),
        parse_constant=lambda text: pytest.fail(f"{text} in the JSON"),
    ), printed


def test_rows_anchors_and_the_paper_s_values(tables):
    found, printed = tables
    by_number = {int(k): v for k, v in found["tables"].items()}
    assert {k: [t["n"] for t in v] for k, v in by_number.items()} == {
        1: [N],
        2: [N],
        3: [N],
    }
    names = {k: [row["name"] for row in v[0]["rows"]] for k, v in by_number.items()}
    assert names[1] == [
        "none",
        "eq. 3 at 1, 1",
        "instrument > 1",
        "audio > 1",
        "both > 1",
    ]
    assert names[2] == ["w_s 0", "w_s 0.1", "w_s 0.2", "w_s 0.5"]
    rows = {
        (k, row["name"]): row
        for k, (table,) in by_number.items()
        for row in table["rows"]
    }
    for (_, name), row in rows.items():
        if name.startswith("second"):
            assert row["report"] is None
            continue
        metrics = row["report"]["metrics"]
        assert row["report"]["n"] == N
        assert metrics["fd_logmel"]["value"] > 0 and metrics["mirdd"]["value"] > 0
        assert len(metrics["mirdd"]["groups"]) == N
    assert rows[1, "both > 1"]["paper"] == {"fad": 3.17, "mirdd": 0.25}
    # one setting, one population, one score
    same = [(1, "none"), (3, "naive")], [(2, "w_s 0.1"), (3, "best")]
    for a, b in same:
        assert rows[a]["report"] == rows[b]["report"]
    assert rows[1, "none"]["report"] != rows[3, "best"]["report"]
    anchors = found["anchors"][str(N)]
    assert list(anchors) == sorted(
        ["real split", "codec floor", "misaligned", "silent"]
    )
    values = {
        name: [report["metrics"][m]["value"] for m in ("fd_logmel", "mirdd")]
        for name, report in anchors.items()
    }
    assert values["misaligned"][0] < 1e-3 * values["silent"][0]
    assert values["misaligned"][1] > 0
    assert anchors["silent"]["silent"]["generated"] == N
    # the same clips through a codec may be nearer than a few other real ones
    assert max(values["real split"][0], values["codec floor"][0]) < values["silent"][0]
    assert values["codec floor"][0] > 10 * values["misaligned"][0]
    best = rows[3, "best"]["report"]["metrics"]["fd_logmel"]["value"]
    assert f"| best | {N} | " in printed and f" | {best:.4g} +- " in printed
    assert "| 0.0 | 3.12 | 0.14 |" in printed and "measured: FD-logmel[" in printed
    assert "no headline number" in printed and "a trial run, not a result" in printed


def test_a_stem_is_decoded_once_whatever_rows_ask_for_it(root, tables):
    """Five rows of Table 1 and four of Table 2; Table 3 adds none.  Where 3, 3 was dealt
    in "both > 1", the stem is that of Table 2 without causal bias."""
    shared = int((deal(N, 36, 0) == 3 * 6 + 3).sum())
    stems = stems_of(root / "tables")
    assert len(stems) == 9 * N - shared
    assert len(set(stems.values())) == len(stems)  # no two are alike
    for path in list(stems)[:3]:
        audio, rate = soundfile.read(root / "tables" / path)
        assert (len(audio), rate) == (SECONDS * 32_000, 32_000)
    # 4 anchors' clips beside the reference: split, codec floor and silence
    assert analysed(root / "cache")["fd_logmel"] == len(stems) + 3 * N + 1


def test_a_second_run_decodes_and_analyses_nothing(root, tables):
    out = root / "tables"
    before = {name: files_of(out / name) for name in ("stems", "real", "anchors")}
    cache = files_of(root / "cache")
    result = (out / "tables.json").read_bytes()
    second = run_tables(root)
    assert {name: files_of(out / name) for name in before} == before
    assert files_of(root / "cache") == cache
    assert (out / "tables.json").read_bytes() == result
    assert second.stdout == tables[1]
    for number in (1, 2, 3):
        assert (out / f"table{number}_n{N}.png").stat().st_size > 10_000
        assert len((out / f"table{number}_n{N}.csv").read_text().splitlines()) > 8


@pytest.fixture(scope="module")
def whole(root, tables):
    """A sweep of two rows in one go, and how many analyses there were before it."""
    grid = root / "grid.toml"
    grid.write_text(TWO_ROWS)
    before = analysed(root / "cache")
    evaluate(*sweep_args(root, grid, root / "whole"))
    return before


def test_a_sweep_of_what_the_tables_have_analyses_nothing(root, whole):
    now = analysed(root / "cache")
    # fewer examples have other partners in "misaligned": known stems, new mixes
    assert now.keys() == whole.keys()
    for stage, count in now.items():
        room = FEW if stage in ("music", "mix_fd_logmel") else 0
        assert whole[stage] <= count <= whole[stage] + room, stage
    stems, known = stems_of(root / "whole"), stems_of(root / "tables")
    assert len(stems) == 2 * FEW
    assert all(known[path] == audio for path, audio in stems.items())


def test_shards_and_a_kill_change_no_byte(root, whole):
    grid, out = root / "grid.toml", root / "parts"
    first = sweep_args(root, grid, out, "--batch-size", 2, "--shard", "0/2")
    with subprocess.Popen(
        command(*first),
        cwd=ROOT,
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while not stems_of(out) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert 0 < len(stems_of(out)) < FEW
    assert "shard 0/2 is decoded" in evaluate(*first).stdout
    assert {path.stem for path in stems_of(out)} == {"00000", "00002"}
    assert not (out / "sweep.json").exists()
    evaluate(*sweep_args(root, grid, out, "--batch-size", 2, "--shard", "1/2"))
    assert stems_of(out) == stems_of(root / "whole")
    evaluate(*sweep_args(root, grid, out))
    for name in ("sweep.json", "sweep.csv", "sweep.tex", "scores/best.json"):
        assert (out / name).read_bytes() == (root / "whole" / name).read_bytes()


def test_one_more_row_analyses_only_itself(root, whole):
    grid, out = root / "grid.toml", root / "whole"
    before, stems = analysed(root / "cache"), stems_of(out)
    old = json.loads((out / "sweep.json").read_text())
    grown = root / "grown" / "grid.toml"
    grown.parent.mkdir()
    grown.write_text(grid.read_text() + THIRD_ROW)
    evaluate(*sweep_args(root, grown, out))
    assert analysed(root / "cache") == {k: v + FEW for k, v in before.items()}
    assert stems_of(out).items() > stems.items()
    new = json.loads((out / "sweep.json").read_text())
    assert new["rows"][:2] == old["rows"] and new["anchors"] == old["anchors"]
    assert [row["name"] for row in new["rows"]] == ["best", "naive", "hot"]
    assert (out / "scores" / "hot.json").is_file()


def test_dry_run_prints_the_cost_and_writes_nothing(root):
    """Of the bundled model; `--fast` goes before the steps of a row."""
    grid = root / "hot.toml"
    grid.write_text('base = "naive"\n' + THIRD_ROW)
    printed = evaluate(
        *("sweep", grid, "--checkpoint", "bundled", "--n", FEW, "--fast"),
        *("--out", root / "none", "--dry-run"),
    ).stdout
    assert f"{FEW} stems of 5 s, 0 of them exist" in printed
    assert f"{FEW * 16} forwards of one stem, 1 compiled programs" in printed
    assert not (root / "none").exists()


@pytest.mark.parametrize(
    "grid, more, words",
    [
        ("causal", [], "no grid 'causal': one of presets, guidance"),
        ("presets", ["--n", 3], "--n 3: give a whole number, 4 or more"),
    ],
)
def test_errors_take_one_line(root, grid, more, words):
    assert words in error_line(*sweep_args(root, grid, root / "none", *more))
    assert not (root / "none").exists()

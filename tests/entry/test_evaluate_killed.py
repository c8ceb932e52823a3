"""A score that is killed at any moment resumes with the same result."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import soundfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RATE = 16_000
EXAMPLES = 12
MOMENTS = (  # files of the cache, and seconds after there are so many
    (0, 0.3),  # no clip is analysed
    (2, 0.0),
    (4, 0.3),
    (7, 0.0),
)
LIMIT = 120.0  # seconds until a moment has come
pytestmark = [pytest.mark.entry, pytest.mark.slow]


@pytest.fixture(scope="module")
def stems(tmp_path_factory):
    """Triples of 2 s: pulsing tones, of which the generated ones are higher."""
    root = tmp_path_factory.mktemp("stems")
    rng = np.random.default_rng(0)
    seconds = np.arange(2 * RATE) / RATE
    pulse = seconds % 0.5 < 0.2
    for k in range(EXAMPLES):
        for role, hertz in (("real", 300), ("generated", 400), ("context", 150)):
            (root / role).mkdir(exist_ok=True)
            wave = 0.3 * np.sin(2 * np.pi * (hertz + 20 * k) * seconds) * pulse
            wave += 0.02 * rng.normal(size=len(wave))
            soundfile.write(root / role / f"{k:02d}.wav", wave, RATE)
    return root


def start(stems, cache, out) -> subprocess.Popen:
    folders = [
        x for r in ("real", "generated", "context") for x in (f"--{r}", stems / r)
    ]
    command = [sys.executable, "evaluate.py", "score", *folders]
    return subprocess.Popen(
        [*map(str, command), "--cache", str(cache), "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(run: subprocess.Popen):
    """Kill the remaining processes of a run."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.communicate()


def finish(run: subprocess.Popen) -> str:
    try:
        printed, errors = run.communicate(timeout=LIMIT)
    finally:
        end(run)
    assert run.returncode == 0, errors
    return printed


def kill_when(run: subprocess.Popen, is_time) -> bool:
    """Kill the run's processes once `is_time()`; returns False if it ended before."""
    latest = time.monotonic() + LIMIT
    try:
        while run.poll() is None and not is_time():
            assert time.monotonic() < latest
            time.sleep(0.001)
    finally:
        end(run)
    return run.returncode == -signal.SIGKILL


def shards(cache) -> list[pathlib.Path]:
    """Files that a reader takes for shards."""
    return sorted(cache.glob("*/shard-*.npz"))


def check_all_whole(cache, out):
    for path in shards(cache):
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None and file.namelist()
    assert not (out / "metrics.json").exists()
    assert not (out / "report.md").exists()


@pytest.fixture(scope="module")
def undisturbed(stems, tmp_path_factory):
    """metrics.json and the names of all shards of a run that is not killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start(stems, folder / "cache", folder / "out"))
    names = {p.relative_to(folder / "cache") for p in shards(folder / "cache")}
    assert len(names) > max(count for count, _ in MOMENTS)
    return (folder / "out" / "metrics.json").read_bytes(), names


def check_rerun(stems, cache, out, undisturbed):
    before = {path: path.stat().st_mtime_ns for path in shards(cache)}
    printed = finish(start(stems, cache, out))
    metrics, names = undisturbed
    assert "analysed again" not in printed
    assert (out / "metrics.json").read_bytes() == metrics
    assert {p.relative_to(cache) for p in shards(cache)} == names
    # what was done before the kill was not done again
    assert all(path.stat().st_mtime_ns == t for path, t in before.items())


def test_killed_between_the_shards(stems, undisturbed, tmp_path):
    """One cache, one kill at each moment; each run resumes the one before."""
    cache, out = tmp_path / "cache", tmp_path / "out"
    for count, seconds in MOMENTS:
        come = []

        def is_time(count=count, seconds=seconds, come=come):
            if not come and len(shards(cache)) >= count:
                come.append(time.monotonic())
            return bool(come) and time.monotonic() >= come[0] + seconds

        assert kill_when(start(stems, cache, out), is_time)
        assert len(shards(cache)) >= count
        check_all_whole(cache, out)
    check_rerun(stems, cache, out, undisturbed)


def test_killed_while_a_shard_is_written(stems, undisturbed, tmp_path):
    """A file that was partly written is not a shard and does not disturb the next run."""
    cache, out = tmp_path / "cache", tmp_path / "out"
    for _ in range(3):  # the sight of a part may come too late
        known = {p for p in cache.rglob("*") if p.is_file()}

        def is_time(known=known):
            parts = (p for p in cache.rglob("*") if p.is_file() and p not in known)
            return any(p not in shards(cache) for p in parts)

        if not kill_when(start(stems, cache, out), is_time):
            break
        check_all_whole(cache, out)
        left = [p for p in cache.rglob("*") if p.is_file() and p not in shards(cache)]
        if left:
            break
    else:
        pytest.fail("no run was killed while it wrote")
    check_rerun(stems, cache, out, undisturbed)

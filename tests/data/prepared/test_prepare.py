"""Preparation: what is measured and cut, resuming, faults, refusals, exit codes."""

import collections
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from stemjax.data import prepare as prepare_module
from stemjax.data.prepare import PrepareArgs, SongLayout, main, prepare
from stemjax.data.prepared import assemble
from stemjax.data.prepared.records import open_prepared
from stemjax.io.errors import UserError
from tests.data.made_songs import (
    plain_songs,
    prepare_command,
    sine,
    slakh_song,
    write_audio,
)

ROOT = pathlib.Path(__file__).resolve().parents[3]


def args_for(source, out, **more):
    kind = {"layout": SongLayout.FOLDER, "workers": 1, "shard_records": 2, **more}
    return PrepareArgs(input=source, out=out, **kind)


def bytes_of(folder):
    """Relative path -> hash of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run_main(monkeypatch, *flags):
    """Exit status of the command; 0 when it returns."""
    words = [str(flag) for flag in flags]
    monkeypatch.setattr(sys, "argv", ["prepare", "--layout", "folder", *words])
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


# --- whole folders ----------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return plain_songs(tmp_path_factory.mktemp("songs"), 4)


@pytest.fixture(scope="module")
def reference(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("reference") / "out"
    outcome = prepare(args_for(source, out))
    assert outcome.made == 4 and outcome.faults == ()
    return bytes_of(out)


def test_the_folder_does_not_depend_on_the_number_of_processes(
    source, reference, tmp_path
):
    prepare(args_for(source, tmp_path / "out", workers=2))
    assert bytes_of(tmp_path / "out") == reference


def test_a_finished_folder_is_left_as_it_is(source, reference, tmp_path, monkeypatch):
    prepare(args_for(source, tmp_path / "out"))

    def never(*_):
        raise AssertionError("a finished folder was made again")

    monkeypatch.setattr(prepare_module, "make_shard", never)
    assert prepare(args_for(source, tmp_path / "out")).made == 0
    assert bytes_of(tmp_path / "out") == reference


# Kills itself as SIGKILL would: within the third shard, or between moving the shards
# into place and writing the manifest.
KILLED = """
import os, signal, sys
from pathlib import Path
from stemjax.data import prepare
from stemjax.data.prepared import assemble, records

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[3] == "shard":
    class Dying(records.ShardWriter):
        def write(self, audio):
            super().write(audio)
            if "00002" in self._path.name:
                die()
    from stemjax.data.prepared import shards
    shards.ShardWriter = Dying
else:
    assemble.write_tfds_info = die
prepare.prepare(prepare.PrepareArgs(
    input=Path(sys.argv[1]), out=Path(sys.argv[2]), layout=prepare.SongLayout.FOLDER,
    workers=1, shard_records=2))
"""


@pytest.mark.parametrize(("moment", "left"), [("shard", 2), ("assembling", 0)])
def test_killed_and_started_again_it_goes_on_to_the_same_bytes(
    source, reference, tmp_path, moment, left
):
    out = tmp_path / "out"
    child = subprocess.run(
        [sys.executable, "-c", KILLED, source, out, moment],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    with pytest.raises(UserError, match=r"holds no manifest"):
        open_prepared(out)
    assert prepare(args_for(source, out)).made == left
    assert bytes_of(out) == reference


@pytest.mark.parametrize("seconds", [10, 60])  # noticed at the close, at a write
def test_a_full_disk_is_one_line_and_finished_shards_stay(
    tmp_path, monkeypatch, capsys, seconds
):
    resource = pytest.importorskip("resource")
    source = plain_songs(tmp_path / "in", 1)
    noise = np.random.default_rng(0).uniform(-1, 1, seconds * 32_000)
    write_audio(source / "train" / "song_1" / "bass.wav", noise)  # nothing packs it
    out = tmp_path / "out"
    flags = ["--input", source, "--out", out, "--workers", "1", "--shard-records", "2"]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        status = run_main(monkeypatch, *flags)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert status == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: cannot write") and "check the disk's space" in last
    assert run_main(monkeypatch, *flags) == 0
    assert "1 shards are there from an earlier run" in capsys.readouterr().out
    assert open_prepared(out).index("train").songs == ("song_0", "song_1")


def test_other_songs_or_options_do_not_mix_with_a_finished_folder(source, tmp_path):
    out = tmp_path / "out"
    prepare(args_for(source, out))
    with pytest.raises(UserError, match="with other options"):
        prepare(args_for(source, out, flac=True))
    fewer = tmp_path / "fewer"
    shutil.copytree(source, fewer)
    shutil.rmtree(fewer / "train" / "song_0")
    with pytest.raises(UserError, match="other songs"):
        prepare(args_for(fewer, out))


def test_going_on_with_other_songs_leaves_nothing_of_the_first(
    source, tmp_path, monkeypatch
):
    def stop(*_):
        raise KeyboardInterrupt

    out, fewer = tmp_path / "out", tmp_path / "fewer"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(assemble, "write_tfds_info", stop)
        prepare(args_for(source, out))
    shutil.copytree(source, fewer)
    shutil.rmtree(fewer / "train" / "song_3")
    write_audio(fewer / "train" / "song_2" / "bass.wav", sine(2, pitch=50))
    assert prepare(args_for(fewer, out)).made == 1  # song_0 and song_1 are the same
    prepare(args_for(fewer, tmp_path / "fresh"))
    assert bytes_of(out) == bytes_of(tmp_path / "fresh")


# --- faults and refusals ----------------------------------------------------------


@pytest.fixture
def faulty(tmp_path):
    """Three songs: whole, with NaN in a stem, with a file that is no audio."""
    source = plain_songs(tmp_path / "in", 3)
    bad = np.full(96_000, np.nan)
    soundfile.write(source / "train/song_1/bass.wav", bad, 32_000, "FLOAT")
    (source / "train/song_2/piano.wav").write_bytes(b"no audio")
    return source


def test_a_faulty_song_is_skipped_and_listed_every_time(faulty, tmp_path):
    for made in (2, 0):  # the second time from the finished folder
        outcome = prepare(args_for(faulty, tmp_path / "out"))
        assert outcome.made == made
        reasons = {fault.song: fault.reason for fault in outcome.faults}
        assert set(reasons) == {"song_1", "song_2"}
        assert "bass.wav: holds NaN" in reasons["song_1"]
        assert "piano.wav" in reasons["song_2"]
    prepared = open_prepared(tmp_path / "out")
    assert prepared.index("train").songs == ("song_0",)
    assert len(prepared) == 2  # and no empty shard is left behind
    assert len(prepared.manifest["shards"]["train"]) == 1


def test_exit_status_of_faults_with_and_without_strict(
    faulty, tmp_path, monkeypatch, capsys
):
    flags = ["--input", faulty, "--out", tmp_path / "out", "--workers", "1"]
    assert run_main(monkeypatch, *flags) == 0
    said = capsys.readouterr()
    assert "skipped 2 songs:" in said.err and "song_1: " in said.err
    assert " free and about " in said.out  # disk and time come first
    assert run_main(monkeypatch, *flags, "--strict") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: 2 songs were")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda source, out: shutil.rmtree(source), "is no folder: check the path"),
        (lambda source, out: shutil.rmtree(source / "train"), "no song can be used in"),
        (
            lambda source, out: [
                soundfile.write(path, np.full(40_000, np.nan), 32_000, "FLOAT")
                for path in source.rglob("*.wav")
            ],
            "of 2, the first: .*NaN",
        ),
        (
            lambda source, out: write_audio(out / "other.wav", sine(1)),
            "holds other files: give a new folder",
        ),
        (lambda source, out: out.touch(), "is a file: give a folder"),
    ],
)
def test_bad_input_is_one_line_and_two(tmp_path, monkeypatch, capsys, spoil, message):
    source, out = plain_songs(tmp_path / "in", 2), tmp_path / "out"
    spoil(source, out)
    flags = ["--input", source, "--out", out, "--workers", "1"]
    assert run_main(monkeypatch, *flags) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ")
    assert re.search(message, lines[-1])
    assert not (out / "manifest.json").exists()


def test_a_short_disk_is_refused_before_anything_is_written(
    source, tmp_path, monkeypatch, capsys
):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 60_000_000))
    flags = ["--input", source, "--out", tmp_path / "a" / "out", "--workers", "1"]
    assert run_main(monkeypatch, *flags) == 2
    said = capsys.readouterr()
    assert "has 60.0 MB free, preparing needs" in said.err and "--flac" in said.err
    assert not (tmp_path / "a").exists()


def test_the_disk_announced_is_not_exceeded(tmp_path, capsys):
    rng = np.random.default_rng(0)  # white noise at full scale packs worst
    for stem in ("bass", "piano"):
        noise = rng.uniform(-1, 1, 10 * 32_000)
        write_audio(tmp_path / "in" / "train" / "song" / f"{stem}.wav", noise)
    prepare(args_for(tmp_path / "in", tmp_path / "out"))
    used = sum(path.stat().st_size for path in (tmp_path / "out").glob("stems-*"))
    (said,) = re.findall(r"needs at most ([\d.]+) MB", capsys.readouterr().out)
    assert used <= float(said) * 1e6 < 1.3 * used


def test_a_table_of_splits_reaches_the_folder(tmp_path):
    for number, title in [(1, "Steel"), (2, "Brass")]:
        folder = slakh_song(
            tmp_path / "in" / f"Track0000{number}",
            {"S00": {"is_drum": False, "program_num": 34}},
            title=title,
        )
        write_audio(folder / "stems" / "S00.flac", sine(2, pitch=50 * number))
    table = tmp_path / "splits.csv"
    table.write_text("file,title,composer,split\n,Steel,,test\n,Brass,,train\n")
    prepare(
        args_for(
            tmp_path / "in", tmp_path / "out", layout=SongLayout.SLAKH, splits=table
        )
    )
    prepared = open_prepared(tmp_path / "out")
    assert prepared.index("test").songs == ("Track00001",)
    assert prepared.index("train").songs == ("Track00002",)
    assert prepared.index("train").stem_category.tolist() == [4]
    assert prepared.manifest["splits"]["test"] == {
        "songs": 1,
        "segments": 1,
        "stems": 1,
        "records": 1,
        "seconds": 2.0,
    }


@pytest.mark.parametrize("layout", ["medleydb", "moisesdb"])
def test_nothing_of_a_layout_is_one_line(tmp_path, monkeypatch, capsys, layout):
    (tmp_path / "in").mkdir()
    with pytest.raises(SystemExit) as end:
        prepare_command(monkeypatch, layout, tmp_path)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no song can be used" in line and layout in line

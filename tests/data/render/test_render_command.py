"""`python -m data.render`: songs rendered, skipped, resumed; bad input in one line."""

import os
import pathlib
import subprocess
import sys

import pytest
import soundfile
import yaml

from stemjax.data.render.__main__ import main, run
from stemjax.data.render.arguments import RenderArgs
from stemjax.data.render.events import DRUM_CHANNEL, Event, Kind, assign_stems
from stemjax.data.render.jobs import (
    ComposerRecipe,
    Limits,
    SongSource,
    SynthChoice,
    render_all,
)
from stemjax.data.render.midi import midi_bytes
from stemjax.data.render.sources import choose_synth, composed_songs, midi_songs
from stemjax.io.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[3]
RATE = 32_000


def two_stems(seconds=4.0):
    """One channel that alternates between programs 0 and 19, and drums."""
    events = []
    for k in range(int(seconds * 4)):
        t = k / 4
        events.append(Event(t, Kind.PROGRAM, 0, 19 if k % 2 else 0))
        for channel, note in ((0, 60 + k % 5), (DRUM_CHANNEL, 38)):
            events.append(Event(t, Kind.ON, channel, note, 100))
            events.append(Event(t + 0.2, Kind.OFF, channel, note))
    return assign_stems(sorted(events, key=lambda e: (e.seconds, e.kind)))


def write_songs(folder):
    folder.mkdir()
    song = midi_bytes(two_stems())
    (folder / "a.mid").write_bytes(song)
    (folder / "b_broken.mid").write_bytes(song[:40] + b"\xff" * 9)
    (folder / "c_empty.MID").write_bytes(midi_bytes([Event(0.0, Kind.PROGRAM, 0, 3)]))
    (folder / "d.mid").write_bytes(midi_bytes(two_stems(3.0)))
    (folder / "e_dummy.mid").write_bytes(song)
    (folder / "notes.txt").write_text("no song")
    table = folder / "splits.csv"
    table.write_text(
        "file,title,composer,split\n"
        'a.mid,"One, two",Somebody,validation\ne_dummy.mid,,,omit\nf_g.mid,,,test\n'
    )
    return table


@pytest.fixture
def without_soundfonts(monkeypatch):
    monkeypatch.setattr("stemjax.data.render.sources.has_tinysoundfont", lambda: False)


def test_songs_are_rendered_skipped_and_resumed(tmp_path, without_soundfonts, capsys):
    table = write_songs(tmp_path / "midi")
    args = {"midi": tmp_path / "midi", "splits": table, "workers": 1}
    out = tmp_path / "out"
    stale = out / ".Track00001.part" / "stems"  # what a killed run leaves
    stale.mkdir(parents=True)
    (stale / "S09.flac").write_bytes(b"half")
    reports = {r.track: r for r in run(RenderArgs(out=out, **args))}
    captured = capsys.readouterr()
    assert list(reports) == ["Track00001", "Track00002", "Track00003", "Track00004"]
    assert "b_broken.mid" in reports["Track00002"].problem
    assert "no part with 8 notes" in reports["Track00003"].problem
    assert "b_broken.mid" in captured.err and "e_dummy.mid" in captured.out
    assert "1 of 3 rows name no file" in captured.err and "'f_g.mid'" in captured.err
    found = sorted(p.name for p in out.iterdir())
    assert found == ["Track00001", "Track00004"]
    files = sorted(
        str(p.relative_to(out / "Track00001")) for p in out.glob("T*1/**/*.*")
    )
    stems = ["S00", "S01", "S02"]
    assert files == sorted(
        ["all_src.mid", "metadata.yaml", "mix.flac"]
        + [f"stems/{s}.flac" for s in stems]
        + [f"MIDI/{s}.mid" for s in stems]
    )
    meta = yaml.safe_load((out / "Track00001" / "metadata.yaml").read_text())
    about = {k: meta[k] for k in ("title", "composer", "split", "source_midi")}
    assert about == {
        "title": "One, two",
        "composer": "Somebody",
        "split": "validation",
        "source_midi": "a.mid",
    }
    assert (meta["renderer"], meta["soundfont"]) == ("numpy", None)
    assert [e["program_num"] for e in meta["stems"].values()] == [0, 19, 128]
    info = soundfile.info(out / "Track00001" / "mix.flac")
    assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")

    before = (out / "Track00001" / "mix.flac").stat().st_mtime_ns
    again = {r.track: r for r in run(RenderArgs(out=out, **args))}
    assert again["Track00001"].is_resumed and again["Track00004"].is_resumed
    assert (out / "Track00001" / "mix.flac").stat().st_mtime_ns == before

    other = run(RenderArgs(out=out, max_seconds=2.0, **args))[0]
    assert "rendered otherwise (rendered_seconds differ)" in other.problem


@pytest.mark.slow
def test_two_processes_write_what_one_writes(tmp_path):
    sources = [
        SongSource(f"Track0000{i}", ComposerRecipe(3, i, 6.0), {}) for i in (1, 2)
    ]
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        limits = Limits(0.0, 2)
        reports = render_all(sources, folder, SynthChoice(None), limits, workers)
        assert [r.problem for r in reports] == [None, None]
    names = [p.relative_to(tmp_path / "1") for p in (tmp_path / "1").rglob("*.*")]
    assert len(names) >= 2 * (3 + 2 * 4)
    for name in names:
        one, two = [(tmp_path / w / name).read_bytes() for w in ("1", "2")]
        assert one == two, name


def test_a_songs_number_is_its_place_in_the_folder(tmp_path):
    write_songs(tmp_path / "midi")
    args = RenderArgs(out=tmp_path, midi=tmp_path / "midi")
    sources, omitted = midi_songs(args)
    assert [(s.track, s.origin.name) for s in sources][3:] == [
        ("Track00004", "d.mid"),
        ("Track00005", "e_dummy.mid"),
    ]
    assert omitted == []


def test_without_a_soundfont_the_numpy_synth_plays(without_soundfonts, tmp_path):
    assert choose_synth(None) == SynthChoice(None)
    (tmp_path / "x.sf2").write_bytes(b"RIFF")
    with pytest.raises(UserError, match="pip install --no-deps tinysoundfont"):
        choose_synth(tmp_path / "x.sf2")


@pytest.mark.parametrize("field", ["workers", "min_notes", "songs", "seconds"])
def test_numbers_out_of_range_are_named(field):
    with pytest.raises(ValueError, match=f"{field}.*give|--{field} must"):
        run(RenderArgs(out=pathlib.Path("x"), **{field: 0}))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--midi", "nowhere"], "nowhere is no folder"),
        (["--midi", "empty"], "no .mid file in empty"),
        (["--midi", "broken"], "no song of 1 could be rendered"),
        (["--sf2", "none.sf2"], "none.sf2 does not exist"),
        (
            ["--sf2", "broken.sf2", "--songs", "1"],
            "broken.sf2 is no readable soundfont",
        ),
        (["--midi", "broken", "--splits", "none.csv"], "none.csv"),
        (["--songs", "0"], "--songs must be 1 to 99999, not 0"),
        (["--midi", "broken", "--songs", "1"], "one set only with --versions"),
        (["--sf2", "broken.sf2", "--sf2", "b.sf2"], "several --sf2 need --versions"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path, monkeypatch, capsys, flags, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.mid").write_bytes(b"MThd")
    (tmp_path / "broken.sf2").write_bytes(b"RIFF" + bytes(40))
    with pytest.raises(SystemExit) as end:
        main(["--out", "out", "--workers", "1", *flags])
    assert end.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1 and words in errors[0]


@pytest.mark.entry
@pytest.mark.slow
def test_the_command_composes_without_jax(tmp_path):
    code = (
        "import runpy, sys; sys.argv[1:] = ['--out', 'o', '--songs', '1', '--seconds', '8',"
        " '--workers', '1', '--min-notes', '2'];"
        "runpy.run_module('data.render', run_name='__main__');"
        "print(sorted({'jax', 'tensorflow', 'pretty_midi'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    songs, needs, first, last = done.stdout.splitlines()
    assert songs.startswith("1 songs, about 0.0") and needs.startswith("needs about")
    assert first.startswith("1 songs in o (0.1 min new, 0 already there), 0 skipped")
    assert last == "[]"
    assert soundfile.info(tmp_path / "o/Track00001/mix.flac").duration == 8.0


def test_numbering_can_start_elsewhere(tmp_path):
    args = RenderArgs(out=tmp_path, songs=2, first_track=1001)
    assert [s.track for s in composed_songs(args)] == ["Track01001", "Track01002"]

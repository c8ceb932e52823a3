"""MIDI files whose timing is no music's: one line, and the other songs are rendered."""

import struct

import pytest

from stemjax.data.render import jobs
from stemjax.data.render.events import Event, Kind
from stemjax.data.render.jobs import Limits, SongSource, SynthChoice, render_all
from stemjax.data.render.midi import check_timing, read_midi
from stemjax.io.errors import UserError

BEAT = 480  # ticks
TEMPO = 500_000  # microseconds a beat


def midi(division=BEAT, tempo=TEMPO, notes=200, ticks=BEAT // 4) -> bytes:
    """A file of `notes` notes, one after the other, each of `ticks` ticks."""
    track = b"\0\xff\x51\x03" + tempo.to_bytes(3, "big")
    delta = bytes([ticks >> 14 & 127 | 128, ticks >> 7 & 127 | 128, ticks & 127])
    for note in range(notes):
        track += b"\0" + bytes([0x90, 60 + note % 12, 90])
        track += delta + bytes([0x80, 60 + note % 12, 0])
    track += b"\0\xff\x2f\0"
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, division)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + track


FAULTS = {
    "smpte_25": (midi(division=0xE728), "SMPTE frames"),
    "smpte_30": (midi(division=0xE250), "SMPTE frames"),
    "no_division": (midi(division=0), "no readable MIDI file"),
    "huge_division": (midi(division=0x7FFF), "200 notes in 0.364 s"),
    "tempo_0": (midi(tempo=0), "200 notes in 0 s; its tempo is damaged"),
    "tempo_1": (midi(tempo=1), "200 notes in"),
    "slowest": (midi(tempo=0xFFFFFF, ticks=2**20), "last note is at 7.29e.06 s"),
    "division_1": (midi(division=1, ticks=480), "last note is at 4.78e.04 s"),
    "cut": (midi()[:90], "no readable MIDI file"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_false_timing_is_named(tmp_path, name):
    content, message = FAULTS[name]
    path = tmp_path / f"{name}.mid"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_midi(path)
    assert path.name in str(error.value)


def test_music_passes(tmp_path):
    path = tmp_path / "song.mid"
    path.write_bytes(midi())
    assert read_midi(path)[-1].seconds == pytest.approx(25.0)
    chord = [Event(0.0, Kind.ON, 0, note, 90) for note in range(64)]
    check_timing(chord, path)  # at one time
    dense = [Event(k / 150, Kind.ON, 0, 60, 90) for k in range(15_000)]
    check_timing(dense, path)  # 150 a second
    with pytest.raises(UserError, match="65 notes in 0 s"):
        check_timing([*chord, chord[0]], path)


def test_the_other_songs_are_rendered(tmp_path, monkeypatch):
    files = {name: content for name, (content, _) in FAULTS.items()}
    files |= {"good": midi(notes=12), "long": midi(notes=100, ticks=2 * BEAT)}
    sources = []
    for number, (name, content) in enumerate(files.items()):
        path = tmp_path / f"{name}.mid"
        path.write_bytes(content)
        sources.append(SongSource(f"Track{number:05d}", path, {}))
    monkeypatch.setattr(jobs, "MAX_STEM_SECONDS", 60.0)
    synth, limits = SynthChoice(None), Limits(max_seconds=0, min_notes=1)
    reports = list(render_all(sources, tmp_path / "out", synth, limits, 1))
    problems = {
        source.origin.stem: report.problem
        for source, report in zip(sources, reports, strict=True)
    }
    assert problems.pop("good") is None
    assert "1 parts of 102 s are too long" in problems["long"]
    assert all(problems.values()) and len(problems) == len(FAULTS) + 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == [f"Track{len(FAULTS):05d}"]


def test_a_song_beyond_the_memory_is_reported(tmp_path, monkeypatch):
    path = tmp_path / "song.mid"
    path.write_bytes(midi(notes=12))

    def greedy(*_):
        raise MemoryError

    monkeypatch.setattr(jobs.NumpySynth, "render", greedy)
    source, limits = SongSource("Track00001", path, {}), Limits(0, 1)
    (report,) = render_all([source], tmp_path / "out", SynthChoice(None), limits, 1)
    assert "too long for this memory" in report.problem

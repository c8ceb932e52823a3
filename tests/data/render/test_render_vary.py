"""Variations of a MIDI song: pitch, time, and a name of its own."""

import dataclasses

import pytest
import yaml

from stemjax.data.render.__main__ import run
from stemjax.data.render.arguments import RenderArgs
from stemjax.data.render.events import DRUM_CHANNEL, Event, Kind
from stemjax.data.render.midi import midi_bytes
from stemjax.data.render.sources import midi_songs
from stemjax.data.render.vary import AS_WRITTEN, Variation, vary
from stemjax.io.errors import UserError

EVENTS = [
    Event(0.0, Kind.PROGRAM, 1, 33, 0, -1),
    Event(1.1, Kind.ON, 1, 40, 90, 33),
    Event(2.2, Kind.OFF, 1, 40, 0, 33),
    Event(1.1, Kind.ON, DRUM_CHANNEL, 36, 90, 128),
    Event(3.3, Kind.ON, 1, 126, 90, 33),
]


def test_pitch_and_time_move_and_drums_keep_their_keys():
    moved = vary(EVENTS, Variation(transpose=3, tempo=1.1))
    assert [e.a for e in moved] == [33, 43, 43, 36, 117]  # 129 goes back an octave
    assert [e.seconds for e in moved] == pytest.approx([0, 1, 2, 1, 3])
    down = vary([EVENTS[1]._replace(a=2)], Variation(transpose=-5))
    assert down[0].a == 9
    assert vary(EVENTS, AS_WRITTEN) == EVENTS


@pytest.fixture
def folder(tmp_path):
    """Two MIDI songs, the first for training, the second for testing."""
    events = [Event(0.0, Kind.PROGRAM, 0, 33)]
    for i in range(6):
        events.append(Event(i / 2, Kind.ON, 0, 45, 100, 33))
        events.append(Event(i / 2 + 0.4, Kind.OFF, 0, 45, 0, 33))
    for name in ("a.mid", "b.mid"):
        (tmp_path / name).write_bytes(midi_bytes(events))
    table = "file,title,composer,split\na.mid,A,X,train\nb.mid,B,X,test\n"
    (tmp_path / "splits.csv").write_text(table)
    return tmp_path


def args_of(folder, **changes) -> RenderArgs:
    values = {"midi": folder, "splits": folder / "splits.csv", "min_notes": 2}
    return RenderArgs(out=folder / "out", workers=1, **(values | changes))


def test_only_the_split_asked_for_and_under_its_own_number(folder):
    sources, _ = midi_songs(args_of(folder, split="test", first_track=11))
    assert [(s.track, s.origin.name) for s in sources] == [("Track00012", "b.mid")]
    with pytest.raises(UserError, match="check --split"):
        midi_songs(args_of(folder, split="trian"))


def test_a_variation_is_another_song_and_says_what_it_is(folder):
    run(args_of(folder, split="train"))
    run(args_of(folder, split="train", first_track=3, transpose=12, tempo=2.0))
    plain, varied = [
        yaml.safe_load((folder / "out" / track / "metadata.yaml").read_text())
        for track in ("Track00001", "Track00003")
    ]
    assert plain["UUID"] != varied["UUID"]  # Slakh's readers keep one song of each
    assert "transpose" not in plain
    assert (varied["transpose"], varied["tempo"]) == (12, 2.0)
    # the last note is struck at 2.5 s; 3 s follow
    assert plain["rendered_seconds"] == pytest.approx(5.5)
    assert varied["rendered_seconds"] == pytest.approx(1.25 + 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transpose": 13}, "transpose 13: give a whole number from -12 to 12"),
        ({"tempo": 0.4}, "tempo 0.4: give a number from 0.5 to 2"),
    ],
)
def test_variations_out_of_range_are_named(folder, change, words):
    with pytest.raises(ValueError, match=words):
        run(dataclasses.replace(args_of(folder), **change))

"""Rendering: MIDI to stems, levels, Slakh's words and equality with the reference.

fixtures/freedoom/d_map01.mid is Freedoom's (BSD-3, COPYING.adoc beside it).
"""

import pathlib

import numpy as np
import pytest
import soundfile
import yaml

from stemjax.data.render.events import (
    DRUM_CHANNEL,
    DRUM_PROGRAM,
    NO_STEM,
    Event,
    Kind,
    assign_stems,
    stems_of,
)
from stemjax.data.render.jobs import Limits, Source, SynthChoice, render_all
from stemjax.data.render.levels import level_stems, loudness_lufs, rms_db
from stemjax.data.render.midi import midi_bytes, read_midi
from stemjax.data.render.numpy_synth import NumpySynth
from stemjax.data.render.slakh import PROGRAM_NAMES, class_of, metadata, name_of
from stemjax.data.render.soundfont import SoundfontSynth, default_soundfont

ROOT = pathlib.Path(__file__).resolve().parents[3]
FREEDOOM = pathlib.Path(__file__).parent / "fixtures" / "freedoom"
SHARED = ROOT.parent / "shared" / "data"  # the reference's own renders, where present
FLUID = pathlib.Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RATE = 32_000


def on(seconds, note, channel=0, velocity=100):
    return Event(seconds, Kind.ON, channel, note, velocity)


def off(seconds, note, channel=0):
    return Event(seconds, Kind.OFF, channel, note)


def program(seconds, number, channel=0):
    return Event(seconds, Kind.PROGRAM, channel, number)


def two_stems(seconds=4.0):
    """One channel that changes program, its volume moved midway, and drums."""
    raw = []
    for k in range(int(seconds * 4)):
        t = k / 4
        raw += [
            program(t, 19 if k % 2 else 0),
            on(t, 60 + k % 5),
            off(t + 0.4, 60 + k % 5),
        ]
        raw += [on(t, 38, DRUM_CHANNEL), off(t + 0.1, 38, DRUM_CHANNEL)]
    raw.append(Event(1.1, Kind.CONTROL, 0, 7, 60))
    raw.append(Event(1.6, Kind.BEND, 0, 9000))
    return assign_stems(sorted(raw, key=lambda e: (e.seconds, e.kind)))


# --- events and MIDI


def test_a_note_off_goes_to_the_stem_that_got_the_note_on():
    raw = [
        program(0.0, 5),
        on(0.1, 60),
        program(0.2, 40),
        off(0.3, 60),  # struck as 5
        on(0.4, 60),
        program(0.4, 70),
        on(0.5, 60),  # while 40's note sounds: that is ended first
        on(0.4, 36, DRUM_CHANNEL),
        Event(0.5, Kind.CONTROL, 0, 7, 90),
    ]
    got = [(e.kind, e.a, e.stem) for e in assign_stems(raw)]
    assert got == [
        (Kind.PROGRAM, 5, NO_STEM),
        (Kind.ON, 60, 5),
        (Kind.PROGRAM, 40, NO_STEM),
        (Kind.OFF, 60, 5),
        (Kind.ON, 60, 40),
        (Kind.PROGRAM, 70, NO_STEM),
        (Kind.OFF, 60, 40),
        (Kind.ON, 60, 70),
        (Kind.ON, 36, DRUM_PROGRAM),
        (Kind.CONTROL, 7, NO_STEM),
    ]


def test_small_stems_are_dropped_and_drums_come_last():
    events = assign_stems(
        [program(0, 70), on(0, 60), on(1, 61), on(0, 36, 9), on(1, 36, 9), on(0, 60, 3)]
    )
    assert stems_of(events, 2) == [70, 128]
    assert stems_of(events, 1) == [0, 70, 128]
    assert stems_of(events, 3) == []


def test_midi_written_is_read_back(tmp_path):
    events = two_stems()
    path = tmp_path / "song.mid"
    path.write_bytes(midi_bytes(events))
    back = read_midi(path)
    assert [e[1:] for e in back] == [e[1:] for e in events]
    # 1920 ticks a second: half a tick of rounding, and mido's sum of deltas
    times = [[e.seconds for e in some] for some in (back, events)]
    np.testing.assert_allclose(*times, atol=0.5 / 1920 + 1e-9)


def test_a_stems_midi_has_its_notes_and_every_control(tmp_path):
    events = two_stems()
    path = tmp_path / "stem.mid"
    path.write_bytes(midi_bytes(events, 19))
    back = read_midi(path)
    assert [e[1:] for e in back] == [e[1:] for e in events if e.stem in (19, NO_STEM)]
    assert {e.stem for e in back} == {19, NO_STEM}


def test_long_pauses_take_several_bytes(tmp_path):
    # 127 | 128 | 16384 ticks: the edges of MIDI's variable-length numbers
    seconds = np.cumsum([0, 127, 128, 16_383, 16_384, 2_097_152]) / 1920
    path = tmp_path / "pauses.mid"
    path.write_bytes(midi_bytes([on(t, 60) for t in seconds]))
    got = [event.seconds for event in read_midi(path)]
    np.testing.assert_allclose(got, seconds, atol=1e-6)  # whole ticks: only float sums


# --- levels


def tone(hz, seconds=3.0, amplitude=0.1):
    t = np.arange(int(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def test_stems_have_one_loudness_and_the_mix_peaks_at_minus_one_db():
    raw = {0: tone(440), 33: tone(110, amplitude=0.002), 128: tone(3000, amplitude=0.5)}
    levelled = level_stems(raw, RATE)
    total = sum(audio.astype(np.int64) for audio in levelled.stems.values())
    np.testing.assert_array_equal(total, levelled.mix)
    peak_db = 20 * np.log10(np.abs(levelled.mix.astype(float)).max() / 32768)
    assert peak_db == pytest.approx(
        -1.0, abs=0.001
    )  # rounding of 3 stems, 1.5 of 29204
    for stem, audio in levelled.stems.items():
        loudness = loudness_lufs(audio / 32768, RATE)
        before_gain = loudness - 20 * np.log10(levelled.overall_gain)
        assert before_gain == pytest.approx(-13.0, abs=0.01)  # int16 noise
        assert levelled.loudness[stem] == pytest.approx(
            loudness_lufs(raw[stem], RATE), abs=1e-9
        )


def test_silent_stems_are_left_out_and_named():
    raw = {0: tone(440), 86: tone(440, amplitude=1e-4), 5: np.zeros(RATE, np.float32)}
    levelled = level_stems(raw, RATE)
    assert list(levelled.stems) == [0]
    assert levelled.silent == [86, 5]
    assert level_stems({5: raw[5]}, RATE).stems == {}


def test_stems_that_cancel_do_not_clip():
    wave = tone(440)
    levelled = level_stems({0: wave, 1: -wave * 0.99}, RATE)
    for audio in levelled.stems.values():
        assert np.abs(audio.astype(int)).max() == pytest.approx(29204, abs=1)
    assert np.abs(levelled.mix.astype(int)).max() <= 3


def test_audio_too_short_for_a_loudness_is_silent():
    assert loudness_lufs(tone(440, seconds=0.3), RATE) == -np.inf


# --- Slakh's words


@pytest.mark.parametrize(
    ("stem", "words"),
    [
        (0, "Piano"),
        (22, "Organ"),
        (39, "Bass"),
        (48, "Strings (continued)"),
        (52, "Strings (continued)"),
        (96, "Sound Effects"),
        (118, "Percussive"),
        (119, "Sound effects"),
        (127, "Sound effects"),
        (128, "Drums"),
    ],
)
def test_classes_are_spelled_as_in_slakh(stem, words):
    assert class_of(stem) == words


def test_program_names_are_general_midis():
    assert len(PROGRAM_NAMES) == len(set(PROGRAM_NAMES)) == 128
    picks = {0: "Acoustic Grand Piano", 22: "Harmonica", 87: "Lead 8 (bass + lead)"}
    picks |= {46: "Orchestral Harp", 119: "Reverse Cymbal", 127: "Gunshot"}
    assert {stem: name_of(stem) for stem in picks} == picks


def test_a_stem_not_rendered_is_entered_as_slakh_does():
    levelled = level_stems(
        {0: tone(440), 103: np.zeros(RATE, np.float32), 128: tone(90)}, RATE
    )
    meta = metadata("Track00001", levelled, "x.sf2", {"split": "test"})
    assert list(meta["stems"]) == ["S00", "S01", "S02"]
    assert meta["stems"]["S01"] == {
        "audio_rendered": False,
        "inst_class": "Sound Effects",
        "is_drum": False,
        "midi_program_name": "FX 8 (sci-fi)",
        "midi_saved": False,
        "plugin_name": "None",
        "program_num": 103,
    }
    assert meta["stems"]["S02"]["is_drum"] and meta["split"] == "test"
    assert (meta["audio_dir"], meta["target_peak"]) == ("Track00001/stems", -1.0)


# --- synths


@pytest.fixture(scope="module")
def tim():
    path = default_soundfont()
    if path is None:
        pytest.skip("pretty_midi (TimGM6mb.sf2) is not installed")
    pytest.importorskip("tinysoundfont")
    return SoundfontSynth(path, RATE)


def check_additive(synth, events, seconds, limit_db):
    stems = {s: synth.render(events, seconds, s) for s in stems_of(events, 1)}
    full = synth.render(events, seconds, None)
    rest = rms_db(sum(stems.values()) - full) - rms_db(full)
    assert rms_db(full) > -60 and len(stems) > 1
    # Float32 sums in another order: 1e-7 of the full scale, so far below -100 dB.
    assert rest < limit_db
    return stems


def test_stems_of_a_soundfont_add_up(tim):
    stems = check_additive(tim, two_stems(), 5.0, -50.0)  # rms_db itself ends at -120
    assert all(len(audio) == 5 * RATE for audio in stems.values())


def test_a_reset_synth_renders_as_a_new_one(tim):
    events = two_stems()
    first = tim.render(events, 3.0, 0)
    tim.render([*events, Event(2.9, Kind.CONTROL, 0, 7, 0)], 3.0, 19)
    np.testing.assert_array_equal(tim.render(events, 3.0, 0), first)


def test_stems_of_the_numpy_synth_add_up():
    check_additive(NumpySynth(RATE), two_stems(), 5.0, -50.0)


@pytest.mark.parametrize("stem", [16, 73, 32])  # organ, pipe, bass
def test_the_numpy_synth_plays_the_pitch_when_it_is_struck(stem):
    events = assign_stems([program(0, stem), on(1.0, 69), off(2.0, 69)])
    audio = NumpySynth(RATE).render(events, 3.0, stem)
    assert not audio[:RATE].any() and not audio[int(2.5 * RATE) :].any()
    spectrum = np.abs(np.fft.rfft(audio[RATE : 2 * RATE]))  # 1 Hz a bin
    assert abs(int(spectrum.argmax()) - 440) <= 1


@pytest.mark.skipif(not FLUID.is_file(), reason=f"{FLUID} is absent")
def test_a_freedoom_song_equals_the_reference_tool(tmp_path):
    """MAP01's first 61 s against what the reference tool wrote in metadata.yaml."""
    pytest.importorskip("tinysoundfont")
    source = Source("Track00001", FREEDOOM / "d_map01.mid", {"split": "test"})
    limits = Limits(max_seconds=61.0, min_notes=8)
    (report,) = render_all([source], tmp_path, SynthChoice(FLUID), limits, 1)
    assert (report.problem, report.stems, report.seconds) == (None, 6, 61.0)
    meta = yaml.safe_load((tmp_path / "Track00001" / "metadata.yaml").read_text())
    wanted = {
        18: -31.72167986,
        30: -30.01166270,
        34: -33.76637265,
        80: -39.86533819,
        81: -36.90095753,
        128: -38.66127241,
    }
    got = {e["program_num"]: e["integrated_loudness"] for e in meta["stems"].values()}
    # Other compilers' libm moves single samples by 1e-6; the loudness far less.
    assert got == pytest.approx(wanted, abs=1e-4)
    assert meta["overall_gain"] == pytest.approx(0.281267673, rel=1e-4)
    assert meta["UUID"] == "505c6ccd64266a3bc797250574eff368"
    names = [f"stems/{name}.flac" for name in meta["stems"]]
    stems = [
        soundfile.read(tmp_path / "Track00001" / n, dtype="int16")[0] for n in names
    ]
    mix = soundfile.read(tmp_path / "Track00001" / "mix.flac", dtype="int16")[0]
    np.testing.assert_array_equal(np.sum(stems, axis=0, dtype=np.int64), mix)
    reference = SHARED / "minislakh" / "Track00001"
    if reference.is_dir():
        for name, audio in zip(names, stems, strict=True):
            theirs = soundfile.read(reference / name, dtype="int16")[0]
            apart = np.abs(audio.astype(int) - theirs).max()
            assert apart <= 1, name  # one step of int16: a rounding at the boundary

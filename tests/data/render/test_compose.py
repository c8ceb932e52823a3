"""The composer: harmony, patterns, form, and the splits kept apart by construction."""

import collections

import numpy as np
import pytest

from stemjax.config.categories import CATEGORIES, VOICE, category_of_program
from stemjax.data.render.composer.compose import _draw_rests, compose, split_of
from stemjax.data.render.composer.harmony import (
    Chord,
    Mode,
    Split,
    Triad,
    colour,
    draw_loop,
    fingerprint,
    nearest,
    split_of_loop,
    tempi_of,
    voice,
)
from stemjax.data.render.composer.instruments import (
    BASS,
    FEATURED,
    Part,
    Role,
    draw_parts,
)
from stemjax.data.render.composer.lines import draw_phrase, split_of_line
from stemjax.data.render.composer.patterns import PLAY, Bar, bass, drums, lead, pad
from stemjax.data.render.events import DRUM_CHANNEL, Kind, stems_of

C_MAJOR = Chord((0, 4, 7))
A_MINOR = Chord((9, 0, 4))
SCALE = (0, 2, 4, 5, 7, 9, 11)
SONGS = 200


@pytest.fixture(scope="module")
def songs():
    return [compose(0, index, 60.0) for index in range(SONGS)]


def bars(count=4, beats=4):
    """C major and A minor in turn, a bar each; the first starts a section."""
    chords = (C_MAJOR, A_MINOR)
    return [
        Bar(k, k * beats, (chords[k % 2],) * beats, SCALE, k == 0, k == count - 1)
        for k in range(count)
    ]


def loop(text):
    """ "0 9m 5 7" as triads."""
    return tuple(Triad(int(t.rstrip("m")), t.endswith("m")) for t in text.split())


# --- splits


def test_of_ten_songs_eight_train():
    splits = [split_of(index) for index in range(10)]
    assert collections.Counter(splits) == {"train": 8, "validation": 1, "test": 1}
    assert {*splits[:3]} == set(Split)  # three songs suffice to have all


def test_tempi_of_splits_are_disjoint_and_no_double_of_each_other():
    tempi = {split: set(tempi_of(split)) for split in Split}
    everything = set().union(*tempi.values())
    assert sum(map(len, tempi.values())) == len(everything) == 84
    assert min(map(len, tempi.values())) >= 8
    assert not everything & {2 * bpm for bpm in everything}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0 9m 5 7", "9m 5 7 0"),  # from another chord
        ("0 9m 5 7", "3 0m 8 10"),  # the same chords named in the relative minor
        ("0 9m 5 7", "0 9m 5 7 0 9m 5 7"),  # played twice
    ],
)
def test_loops_that_sound_alike_have_one_fingerprint(one, other):
    assert fingerprint(loop(one)) == fingerprint(loop(other))
    assert split_of_loop(loop(one)) is split_of_loop(loop(other))


@pytest.mark.parametrize("other", ["0 9m 7 5", "0 9 5 7", "0 9m 5 7 0 9m 5 10"])
def test_other_loops_have_another_fingerprint(other):
    assert fingerprint(loop("0 9m 5 7")) != fingerprint(loop(other))


@pytest.mark.parametrize("split", list(Split))
@pytest.mark.parametrize("mode", list(Mode))
def test_loops_are_drawn_for_their_split(split, mode):
    rng = np.random.default_rng(1)
    found = [draw_loop(rng, mode, split) for _ in range(30)]
    assert {split_of_loop(one) for one in found} == {split}
    assert all(4 <= len(one) <= 8 and len(set(one)) >= 3 for one in found)
    assert all(a != b for one in found for a, b in zip(one, one[1:], strict=False))
    assert len({fingerprint(one) for one in found}) > 10


@pytest.mark.slow
def test_songs_of_different_splits_share_neither_tempo_nor_loop(songs):
    tempi, loops = collections.defaultdict(set), collections.defaultdict(set)
    for song in songs:
        tempi[song.split].add(song.tempo)
        loops[song.split].add(fingerprint(song.loop))
    for found in (tempi, loops):
        assert len(found) == 3 and all(len(values) > 5 for values in found.values())
        assert sum(map(len, found.values())) == len(set().union(*found.values()))


# --- harmony


def test_chords_are_moved_into_the_key():
    rng = np.random.default_rng(0)
    assert colour(rng, Triad(9, True), 3, 0.0) == Chord((0, 3, 7))  # vi of Eb: C minor
    assert colour(rng, Triad(7, False), 0, 1.0) == Chord((7, 11, 2, 5))  # G7
    assert colour(rng, Triad(2, True), 0, 1.0) == Chord((2, 5, 9, 0))  # Dm7


def test_voicings_hold_the_chords_notes_close_to_the_centre():
    assert nearest(0, 61) == 60 and nearest(11, 60) == 59 and nearest(6, 60) == 54
    for chord in (C_MAJOR, A_MINOR, Chord((7, 11, 2, 5))):
        for centre in range(40, 90):
            pitches = voice(chord, centre)
            assert {pitch % 12 for pitch in pitches} == set(chord.tones)
            assert list(pitches) == sorted(set(pitches))
            assert max(abs(pitch - centre) for pitch in pitches) <= 14
    assert voice(C_MAJOR, 60, (59, 62, 67)) == voice(C_MAJOR, 60, (59, 62, 67))


# --- patterns


def test_a_pad_holds_each_chord_once():
    notes = pad(np.random.default_rng(0), bars(2), 60, Split.TRAIN)
    assert [(n.start, round(n.length, 2)) for n in notes] == [(0, 3.92)] * 3 + [
        (4, 3.92)
    ] * 3
    assert {n.pitch % 12 for n in notes[:3]} == {0, 4, 7}
    assert {n.pitch % 12 for n in notes[3:]} == {9, 0, 4}


@pytest.mark.parametrize("seed", range(20))
def test_a_bass_plays_tones_of_its_chord(seed):
    notes = bass(np.random.default_rng(seed), bars(), 38, Split.TRAIN)
    for note in notes:
        chord = (C_MAJOR, A_MINOR)[int(note.start // 4) % 2]
        assert note.pitch % 12 in chord.tones
        assert 32 <= note.pitch <= 56
    firsts = [n for n in notes if n.start % 4 == 0]
    assert [n.pitch % 12 for n in firsts] == [0, 9, 0, 9]


@pytest.mark.parametrize("seed", range(20))
def test_a_lead_keeps_to_the_scale_and_to_chords_on_the_beat(seed):
    notes = lead(np.random.default_rng(seed), bars(8), 70, Split.TRAIN)
    assert len(notes) >= 8
    for note in notes:
        chord = (C_MAJOR, A_MINOR)[int(note.start // 4) % 2]
        assert note.pitch % 12 in (chord.tones if note.start % 1 == 0 else SCALE)
        assert 52 <= note.pitch <= 88


@pytest.mark.parametrize("seed", range(20))
def test_drums_crash_where_sections_start_and_fill_where_they_end(seed):
    notes = drums(np.random.default_rng(seed), bars(), 0, Split.TRAIN)
    assert [n.start for n in notes if n.pitch == 49] == [0]
    toms = [n.start for n in notes if n.pitch in (50, 48, 45, 43)]
    assert toms and min(toms) >= 14


@pytest.mark.parametrize("seed", range(20))
def test_drums_repeat_after_four_bars_or_fewer(seed):
    notes = drums(np.random.default_rng(seed), bars(12), 0, Split.TRAIN)
    played = [
        sorted((n.start % 4, n.pitch) for n in notes if n.start // 4 == k)
        for k in range(12)
    ]
    assert played[1] == played[5] == played[9] and len(played[1]) >= 4
    assert played[2] == played[6] == played[10]


def _rhythms(role, split, beats, songs):
    """Starts and pitches of every bar of a part over one chord; no fills."""
    rhythms = set()
    for seed in range(songs):
        played = [
            Bar(k, k * beats, (C_MAJOR,) * beats, SCALE, False, False) for k in range(4)
        ]
        notes = PLAY[role](
            np.random.default_rng([seed, *split.encode()]), played, 60, split
        )
        for bar in played:
            rhythms.add(
                tuple(
                    sorted(
                        (n.start - bar.start, n.pitch if role is not Role.COMP else 0)
                        for n in notes
                        if bar.start <= n.start < bar.start + beats
                    )
                )
            )
    return rhythms


@pytest.mark.parametrize("beats", [3, 4])
@pytest.mark.parametrize("role", [Role.DRUMS, Role.BASS])
def test_songs_of_different_splits_share_no_rhythm(role, beats):
    train, test = (
        _rhythms(role, split, beats, 60) for split in (Split.TRAIN, Split.TEST)
    )
    assert len(train) > 60 and len(test) > 30
    assert not train & test


@pytest.mark.parametrize("split", list(Split))
def test_every_bar_of_a_phrase_belongs_to_its_split(split):
    rng = np.random.default_rng(0)
    common = [("x...x...x...x...", ""), ("..x.....o.......", "x.o.x.o.x.o.x.o.")]
    for steps in (12, 16):
        for _ in range(50):
            phrase = draw_phrase(rng, common, split, steps)
            assert len(phrase) in (1, 2, 4)
            for line in phrase:
                assert split_of_line(line) is split
                assert all(len(voice) in (0, steps) for voice in line)
                assert set("".join(line)) <= set("xo.")
                if line[1] == "":
                    assert line[0][0] == "x"  # the first beat stays


@pytest.mark.parametrize("beats", [3, 4])
@pytest.mark.parametrize("role", list(Role))
def test_all_roles_stay_within_their_bars(role, beats):
    played = [bar for bar in bars(8, beats) if bar.number in (1, 2, 5)]
    for seed in range(20):
        notes = PLAY[role](np.random.default_rng(seed), played, 60, Split.TRAIN)
        assert notes
        for note in notes:
            assert int(note.start // beats) in (1, 2, 5)
            assert note.length > 0 and 0 <= note.pitch <= 127
            assert note.start + note.length <= (note.start // beats + 1) * beats + 1e-9


# --- parts and form


def test_parts_are_4_to_9_of_distinct_programs_and_feature_a_category():
    counts = collections.Counter()
    for seed in range(300):
        featured = FEATURED[seed % len(FEATURED)]
        parts = draw_parts(np.random.default_rng(seed), featured)
        programs = [part.program for part in parts]
        assert len(set(programs)) == len(programs)
        assert featured in [category_of_program(program) for program in programs]
        assert sum(category_of_program(p) == BASS for p in programs) <= 1
        counts[len(parts)] += 1
    assert set(counts) == {4, 5, 6, 7, 8, 9} and min(counts.values()) > 20


def test_parts_rest_but_two_always_play():
    parts = [Part(128, Role.DRUMS, 0), Part(33, Role.BASS, 38)]
    parts += [Part(program, Role.PAD, 60) for program in (0, 16, 48, 90)]
    full = 0
    for seed in range(200):
        is_playing = _draw_rests(np.random.default_rng(seed), parts, 6)
        assert is_playing.shape == (6, 6)
        assert (is_playing.sum(axis=0) >= 2).all()
        assert (is_playing.sum(axis=1) >= 3).all()
        full += is_playing[2:].all(axis=1).sum()
    assert full <= 4  # of 800: only where a section would be left with one part


@pytest.mark.parametrize("seconds", [6.0, 10.0, 60.0])
def test_no_moment_of_a_song_is_left_out(seconds):
    """Some part sounds in every 4 s (drums, bass or chords in every bar)."""
    for index in range(30):
        song = compose(5, index, seconds)
        starts = np.array([e.seconds for e in song.events if e.kind is Kind.ON])
        gaps = np.diff(np.concatenate([[0.0], np.sort(starts), [seconds]]))
        # Two bars at the slowest tempo: a chord of two bars struck once.
        assert gaps.max() <= 2 * 4 * 60 / 84 + 0.1, (index, gaps.max())


# --- songs


def test_a_song_follows_from_its_seed_and_number():
    assert compose(1, 4, 20.0) == compose(1, 4, 20.0)
    others = [compose(1, 5, 20.0), compose(2, 4, 20.0)]
    assert all(other.events != compose(1, 4, 20.0).events for other in others)


@pytest.mark.slow
def test_all_categories_but_voice_occur(songs):
    found = {category_of_program(p.program) for song in songs[:40] for p in song.parts}
    assert found == set(range(len(CATEGORIES))) - {VOICE}


@pytest.mark.slow
def test_songs_are_sound_midi(songs):
    for song in songs[::5]:
        sounding = set()
        last = 0.0
        assert {e.channel for e in song.events if e.stem == 128} <= {DRUM_CHANNEL}
        for event in song.events:
            assert last <= event.seconds <= 60.0
            last = event.seconds
            key = (event.channel, event.a)
            if event.kind is Kind.ON:
                assert key not in sounding and 20 <= event.b <= 127
                sounding.add(key)
            elif event.kind is Kind.OFF:
                sounding.remove(key)
        assert not sounding
        stems = {part.program for part in song.parts}
        assert set(stems_of(song.events, 1)) == stems


@pytest.mark.slow
def test_nearly_all_parts_of_a_minute_have_eight_notes(songs):
    kept = [len(stems_of(song.events, 8)) for song in songs]
    assert np.mean(kept) > 0.99 * np.mean([len(song.parts) for song in songs])
    assert min(kept) >= 4 - 1


@pytest.mark.slow
def test_parts_fall_silent_and_are_played_unevenly(songs):
    """Half of the parts, or more, have a pause of over 4 s; velocities vary."""
    pauses, spreads = [], []
    for song in songs[::4]:
        for part in song.parts:
            own = [e for e in song.events if e.stem == part.program]
            struck = [e for e in own if e.kind is Kind.ON]
            times = [0.0, *(e.seconds for e in struck), 60.0]
            pauses.append(max(np.diff(times)))
            spreads.append(np.std([e.b for e in struck]))
    assert np.mean(np.array(pauses) > 4.0) > 0.5
    assert np.median(spreads) > 4.0

"""Versions of a song: drawn from seed, title and number alone, within their ranges."""

import collections
import itertools

import numpy as np
import pytest

from stemjax.data.render import versions
from stemjax.data.render.events import Event, Kind
from stemjax.data.render.treat import Shape
from stemjax.data.render.vary import AS_WRITTEN, Variation, vary
from stemjax.data.render.versions import Version, draw_treatment, draw_variation

STEMS = (0, 33, 48, 128)
MANY = [Version(7, f"Song {k}", number) for k in range(400) for number in (1, 2)]


def test_a_version_follows_from_seed_title_and_number():
    one = Version(0, "Dynamite!", 1)
    assert draw_variation(one) == draw_variation(Version(0, "Dynamite!", 1))
    assert draw_treatment(one, STEMS) == draw_treatment(one, STEMS)
    for other in (
        Version(1, *one[1:]),
        one._replace(title="x"),
        one._replace(number=2),
    ):
        assert draw_treatment(other, STEMS) != draw_treatment(one, STEMS)
        assert draw_variation(other) != draw_variation(one)


def test_a_stems_strip_does_not_hang_on_the_other_stems():
    version = Version(0, "Dynamite!", 1)
    alone = draw_treatment(version, [48]).strips[48]
    assert draw_treatment(version, STEMS).strips[48] == alone
    assert len(set(draw_treatment(version, STEMS).strips.values())) == len(STEMS)


def test_version_0_is_the_song_as_written():
    assert draw_variation(Version(3, "x", 0)) == AS_WRITTEN
    assert draw_treatment(Version(3, "x", 0), STEMS) is None


def test_keys_and_tempi_fill_their_ranges():
    drawn = [draw_variation(version) for version in MANY]
    keys = collections.Counter(one.transpose for one in drawn)
    assert set(keys) == set(range(-5, 7)) and min(keys.values()) > 800 / 12 / 2
    tempi = [one.tempo for one in drawn]
    assert 0.9 <= min(tempi) < 0.905 and 1.095 < max(tempi) <= 1.1


def test_treatments_fill_their_ranges():
    drawn = [draw_treatment(version, STEMS) for version in MANY]
    strips = [strip for one in drawn for strip in one.strips.values()]
    gains = [strip.gain_db for strip in strips]
    assert -6 <= min(gains) < -5.9 and 5.9 < max(gains) <= 6
    assert abs(np.mean(gains)) < 0.3
    assert {len(strip.bands) for strip in strips} == {1, 2}
    bands = [band for strip in strips for band in strip.bands]
    assert {band.shape for band in bands} == set(Shape)
    assert all(-4 <= band.gain_db <= 4 for band in bands)
    for strip in strips:
        assert len({band.shape for band in strip.bands}) == len(strip.bands)
    for band in bands:
        low, high = versions._HERTZ[band.shape]
        assert low <= band.hertz <= high
    rooms = [one.room for one in drawn if one.room]
    assert 0.6 < len(rooms) / len(drawn) < 0.8
    assert all(-24 <= room.wet_db <= -14 for room in rooms)
    assert all(0.2 <= room.seconds <= 0.8 for room in rooms)
    assert len({room.seed for room in rooms}) == len(rooms)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_versions_go_round_the_soundfonts(count):
    firsts = collections.Counter()
    for title in map(str, range(200)):
        played = [Version(0, title, number).soundfont(count) for number in range(5)]
        for one, following in itertools.pairwise(played):
            assert following == (one + 1) % count
        firsts[played[0]] += 1
    assert set(firsts) == set(range(count))
    assert min(firsts.values()) > 200 / count * 0.7


def moved(notes, transpose, stem=33, channel=0):
    events = [Event(0.0, Kind.ON, channel, note, 90, stem) for note in notes]
    return [event.a for event in vary(events, Variation(transpose))]


@pytest.mark.parametrize(
    ("notes", "transpose", "wanted"),
    [
        ([28, 40], -5, [23, 35]),  # B0, a five-string bass's lowest
        ([27, 40], -5, [34, 47]),  # the whole line goes up an octave instead
        ([90, 102], 6, [96, 108]),
        ([90, 103], 6, [84, 97]),
        ([24, 106], -3, [21, 103]),  # an octave up would leave the other end
        ([20, 60], -3, [17, 57]),  # written below the range: left alone
        ([100, 110], 2, [102, 112]),
    ],
)
def test_a_stem_stays_where_instruments_play(notes, transpose, wanted):
    assert moved(notes, transpose) == wanted


def test_stems_move_on_their_own_and_drums_do_not():
    events = [Event(0.0, Kind.ON, 0, 24, 90, 33), Event(0.0, Kind.ON, 1, 60, 90, 0)]
    events += [Event(1.0, Kind.OFF, 0, 24, 0, 33), Event(0.0, Kind.ON, 9, 25, 90, 128)]
    assert [e.a for e in vary(events, Variation(-4))] == [32, 56, 32, 25]

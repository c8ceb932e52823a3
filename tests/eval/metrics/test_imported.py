"""Analyses by other programs: files, labels, bars, errors, and their MIRDD."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from stemjax.analysis.labels import parse_chord, parse_key
from stemjax.analysis.records import NO_CHORD, NO_KEY, NO_METER
from stemjax.eval.metrics import imported
from stemjax.eval.metrics.histograms import histograms
from stemjax.eval.metrics.jackknife import assign_groups
from stemjax.eval.metrics.mirdd import mirdd
from stemjax.io.errors import UserError

SONG = {
    "extractor": "lab 3",
    "notes": [[1, 2, 64], [0, 1, 60.2], [0, 0.5, 48]],
    "beats": [[0.5 * k, (k + 2) % 4 + 1] for k in range(12)],
    "key": "Db:maj",
    "chords": [[1, 2, "C:7/b7"], [2, 3, "C:maj"], [3, 4, "A:min7"], [4, 5, "N"]],
    "sections": [[0, 1, "verse"], [1, 2, "chorus"], [2, 5, "verse"]],
    "percussive_onsets": [0.0, 0.1, 0.6, 0.65, 0.1],
}
EMPTY = {name: [] for name in imported.FIELDS} | {"key": "N"}


def write(folder, role, name, fields):
    path = folder / role / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields))
    return path


def example(name, seconds=5.0):
    return SimpleNamespace(triple=SimpleNamespace(id=name), seconds=seconds)


@pytest.fixture
def folder(tmp_path):
    for role in imported.ROLES:
        for name in "ab":
            write(tmp_path, role, name, SONG)
    return tmp_path


def test_a_file_is_read_as_the_descriptors_need_it(folder):
    source = imported.imported_music(folder)
    assert source.label == "descriptors=lab 3"
    counts = []
    found, other = source.music(
        [example("b", 6.0), example("a")], "real", progress=counts.append
    )
    assert sum(counts) == 2
    assert found.is_tonal and found.key == 1
    # in order of onset, then pitch, which is whole
    np.testing.assert_array_equal(found.notes, [[0, 0.5, 48], [0, 1, 60], [1, 2, 64]])
    # C7 and C are one triad; no chord before, in between and after, up to the clip's end
    chords = [[0, 1, NO_CHORD], [1, 3, 0], [3, 4, 21], [4, 6, NO_CHORD]]
    np.testing.assert_array_equal(found.chords, chords)
    np.testing.assert_array_equal(other.chords[-1], [4, 5, NO_CHORD])
    np.testing.assert_array_equal(found.sections, [[0, 1, 0], [1, 2, 1], [2, 5, 0]])
    np.testing.assert_array_equal(found.beats, np.arange(12) / 2)
    assert found.beats_per_bar == 4
    # 0.6 s after the first is no longer within its window
    assert found.percussive_density == 4
    assert histograms(found).sum() == pytest.approx(11)


def test_nothing_found_is_a_clip_without_music(tmp_path):
    for role in imported.ROLES:
        write(tmp_path, role, "a", EMPTY)
    source = imported.imported_music(tmp_path)
    assert source.label == "descriptors=unnamed"
    (found,) = source.music([example("a")], "generated")
    assert not found.is_tonal and found.key == NO_KEY
    assert found.beats_per_bar == NO_METER and found.percussive_density == 0
    assert [len(a) for a in (found.notes, found.beats, found.sections)] == [0, 0, 0]
    for more in ({"key": "A:min"}, {"notes": [[0, 1, 60]]}, {"chords": [[0, 1, "C"]]}):
        write(tmp_path, "real", "a", EMPTY | more)
        (found,) = source.music([example("a")], "real")
        assert found.is_tonal


@pytest.mark.parametrize(
    ("label", "triad"),
    [("C:maj", 0), ("C", 0), ("G:7/b7", 7), ("Ab:maj7", 8), ("C#:9(*5)/3", 1)]
    + [("Db:maj6", 1), ("Cb:13", 11), ("B#:maj", 0), ("F##", 7), ("D:sus4(3)", 2)]
    + [("A:min", 21), ("A:min7/b3", 21), ("Bb:minmaj7", 22), ("F#:hdim7", 18)]
    + [("G#:dim", 20), ("E:dim7", 16), ("C:(1,b3,5)", 12), ("C:(1,3,5)", 0)]
    + [("C:sus4", 24), ("C:sus2(b7)", 24), ("C:5", 24), ("C:1", 24), ("C:aug", 24)]
    + [("N", 24), ("X", 24), ("C:maj(*3)", 24), ("C:(1,5)", 24)],
)
def test_chords_are_reduced_to_the_triad_of_their_third(label, triad):
    assert parse_chord(label) == triad


def test_keys_are_numbers_in_any_spelling():
    assert [parse_key(k) for k in ("C:maj", "Db:maj", "C#:maj", "Cb:maj")] == [
        0,
        1,
        1,
        11,
    ]
    assert [parse_key(k) for k in ("A:min", "G#:min", "Ab:min")] == [21, 20, 20]
    assert parse_key("N") == NO_KEY
    for label in ("H:maj", "C:dorian", "c:maj", "", 3, None):
        with pytest.raises(ValueError, match="is not a key"):
            parse_key(label)
    for label in ("H", "C:foo", "C:", "Cmaj", "C:maj/x", "", 0, ["C"]):
        with pytest.raises(ValueError, match="is not a chord"):
            parse_chord(label)


@pytest.mark.parametrize(
    ("positions", "meter"),
    [
        ([1, 2, 3, 1, 2, 3, 1], 3),
        ([3, 4, 1, 2, 3, 4, 1, 2], 4),
        ([1, 2, 3, 4, 1, 2, 3, 1, 2, 3, 1], 3),
        ([1, 2, 3, 4, 1, 2, 3, 1], 3),  # of two alike the shorter
        ([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 1], NO_METER),
        ([1, 2, 3, 4], NO_METER),  # no bar has ended
        ([], NO_METER),
    ],
)
def test_bars_are_as_long_as_most_of_them(positions, meter):
    assert imported.beats_per_bar(positions) == meter


def test_density_is_the_slow_count():
    rng = np.random.default_rng(0)
    times = np.round(rng.uniform(0, 5, 60), 1)  # ties, and pairs 0.6 s apart
    tenths = np.round(10 * times).astype(int)
    slow = max(int(((tenths >= t) & (tenths < t + 6)).sum()) for t in range(-6, 60))
    assert imported.density(list(times)) == slow


def test_more_sections_than_six_share_the_last_label(folder):
    sections = [[k, k + 1, word] for k, word in enumerate("ABCDEFGAH")]
    path = write(folder, "real", "a", SONG | {"sections": sections})
    found = imported.parse(path, json.loads(path.read_text()), 9.0)
    assert found.sections[:, 2].tolist() == [0, 1, 2, 3, 4, 5, 5, 0, 5]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"key": "H:maj"}, "'H:maj' is not a key"),
        ({"chords": [[0, 1, "C:foo"]]}, "'C:foo' is not a chord"),
        ({"notes": [[0, "x", 3]]}, "'x' is not a number"),
        ({"notes": [[0, 1, True]]}, "True is not a number"),
        ({"notes": [[0, 1, 128]]}, "128 is not in MIDI"),
        ({"notes": [[0, 1]]}, "not a list of 3"),
        ({"beats": [[0, 0]]}, "position 0 is not 1, 2, 3"),
        ({"beats": "none"}, "beats: not a list"),
        ({"sections": [[2, 1, "a"]]}, "2 s starts after 1 s"),
        ({"chords": [[0, 2, "C"], [1, 3, "D"]]}, "overlap"),
        ({"percussive_onsets": [float("nan")]}, "NaN is not a number"),
        ({"tempo": 120}, "unknown field 'tempo'"),
    ],
)
def test_faults_name_their_file_before_anything_is_measured(folder, fields, message):
    source = imported.imported_music(folder)
    imported.check_ids(source, ["a", "b"])
    write(folder, "generated", "a", SONG | fields)
    with pytest.raises(UserError, match=message) as fault:
        imported.check_ids(source, ["a", "b"])
    assert str(folder / "generated" / "a.json") in str(fault.value)


def test_faults_of_folders(folder):
    source = imported.imported_music(folder)
    with pytest.raises(UserError, match="c.json: no such file; every mix"):
        imported.check_ids(source, ["a", "c"])
    write(folder, "real", "a", SONG | {"notes": [[6.5, 7, 60]]})
    with pytest.raises(UserError, match=r"a.json: a note at 6.50 s, .* has 5.00 s"):
        source.music([example("a")], "real")
    assert len(source.music([example("a", 5.5)], "real")) == 1
    lacks = {name: value for name, value in SONG.items() if name != "beats"}
    write(folder, "real", "a", lacks)
    with pytest.raises(UserError, match="a.json: no 'beats'"):
        imported.check_ids(source, ["a"])
    write(folder, "real", "a", SONG | {"extractor": "other"})
    with pytest.raises(UserError, match="use one for all mixes"):
        imported.imported_music(folder)
    (folder / "real" / "a.json").write_text("[1, 2")
    with pytest.raises(UserError, match="a.json: not JSON"):
        imported.imported_music(folder)
    with pytest.raises(UserError, match="real: no such folder"):
        imported.imported_music(folder / "none")


def test_mirdd_of_files_is_zero_for_equal_music_and_sees_another_key(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"{k:02d}" for k in range(24)]
    moved = {}
    for name in names:
        root = int(rng.integers(3))
        notes = [
            [k / 2, k / 2 + 0.4, 60 + root + int(rng.integers(5))] for k in range(9)
        ]
        write(tmp_path, "real", name, SONG | {"notes": notes})
        write(tmp_path, "generated", name, SONG | {"notes": notes[::-1]})
        moved[name] = [[a, b, pitch + 6] for a, b, pitch in notes]
    group = assign_groups(names)

    def measured():
        source = imported.imported_music(tmp_path)
        rows = [
            np.stack([histograms(a) for a in source.music(examples, role)])
            for role in imported.ROLES
        ]
        return mirdd(*rows, group=group, seed=0)

    examples = [example(name) for name in names]
    assert measured().mirdd.estimate.value == 0
    for name in names:
        write(tmp_path, "generated", name, SONG | {"notes": moved[name]})
    result = measured()
    assert result.mirdd.estimate.value > result.mirdd.null_95
    # what was not moved does not differ
    assert result.by_descriptor["key"].kl == 0 < result.by_descriptor["pitches"].kl

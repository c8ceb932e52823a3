"""MoisesDB's layout: made songs and one assertion per trap of the archive."""

import json

import numpy as np
import pytest

from stemjax.config.categories import CATEGORIES, category_of
from stemjax.data.drawing.audio import read_stems
from stemjax.data.layouts.moisesdb import read_songs
from stemjax.data.layouts.song import split_by_hash
from stemjax.data.layouts.split_table import read_split_table
from stemjax.data.prepared.records import open_prepared
from tests.data.made_songs import empty, prepare_command, sine, write_audio

REEDS = "reeds (saxophone, clarinets, oboe, english horn, bagpipe)"
TONAL = "pitched percussion (mallets, glockenspiel, ...)"
ATONAL = "a-tonal percussion (claps, shakers, congas, cowbell etc)"
OTHER_KEYS = "other sounds (hapischord, melotron etc)"


def song(root, name, stems, *, audio=None, **top):
    """A song of (stemName, [(trackType, more of the track), ...])."""
    entries, count = [], 0
    for stem, tracks in stems:
        made = []
        for kind, more in tracks:
            count += 1
            track = {"id": f"t{count}", "trackType": kind, "extension": "wav", **more}
            path = root / name / stem / f"t{count}.wav"
            audio(path, count) if audio else empty(path)
            made.append(track)
        entries.append({"stemName": stem, "tracks": made})
    meta = {"song": name.upper(), "artist": "Some One", "genre": "rock", **top}
    (root / name / "data.json").write_text(json.dumps({**meta, "stems": entries}))


def words(one):
    """Stem -> (category word or None, names of its files)."""
    return {
        stem.name: (
            CATEGORIES[stem.category] if stem.category >= 0 else None,
            [path.stem for path in stem.files],
        )
        for stem in one.stems
    }


def test_categories_by_stem_and_by_track_type(tmp_path):
    song(
        tmp_path,
        "a",
        [
            ("vocals", [("lead female singer", {}), ("human choir", {})]),
            ("bass", [("tuba (bass of brass)", {})]),
            ("drums", [("kick drum", {}), ("overheads", {})]),
            ("guitar", [("acoustic guitar", {})]),
            ("piano", [("electric piano (rhodes, wurlitzer)", {})]),
            ("bowed_strings", [("violin (solo)", {}), ("string section", {})]),
            ("other_keys", [("organ, electric organ", {}), ("synth pad", {})]),
            ("wind", [(REEDS, {})]),
            ("percussion", [(ATONAL, {}), (TONAL, {}), (ATONAL, {})]),
            ("other_plucked", [("banjo, mandolin, ukulele, harp etc", {})]),
            ("other", [("click track", {})]),  # no music
        ],
    )
    (one,) = read_songs(tmp_path, None).songs
    assert one.source == "moisesdb" and one.title == "Some One - A"
    assert words(one) == {
        "vocals": ("voice", ["t1", "t2"]),
        "bass": ("bass", ["t3"]),
        "drums": ("drums", ["t4", "t5"]),
        "guitar": ("guitar", ["t6"]),
        "piano": ("piano", ["t7"]),
        "bowed_strings": ("strings", ["t8", "t9"]),
        "other_keys_organ": ("organ", ["t10"]),
        "other_keys_synth-pad": ("synth-pad", ["t11"]),
        "wind": ("reed", ["t12"]),
        "percussion_percussive": ("percussive", ["t13", "t15"]),
        "percussion_chromatic-percussion": ("chromatic-percussion", ["t14"]),
        "other_plucked": (None, ["t16"]),
    }


@pytest.mark.parametrize(
    ("stem", "kind", "word"),
    [
        ("other_keys", "synth lead", "synth-lead"),
        ("other_keys", OTHER_KEYS, None),
        ("wind", "brass (trumpet, trombone, french horn, brass etc)", "brass"),
        ("wind", "flutes (piccolo, bamboo flute, panpipes, flutes etc)", "pipe"),
        ("wind", "other wind", None),
        ("other", "fx/processed sound, scratches, gun shots", "sound-effects"),
    ],
)
def test_track_types_of_mixed_stems(tmp_path, stem, kind, word):
    song(tmp_path, "a", [(stem, [(kind, {})])])
    (one,) = read_songs(tmp_path, None).songs
    assert words(one) == {stem: (word, ["t1"])}


def test_a_stem_name_that_occurs_twice_is_one_stem(tmp_path):
    guitar = ("guitar", [("acoustic guitar", {})])
    song(tmp_path, "a", [guitar, ("bass", [("bass guitar", {})]), guitar])
    (one,) = read_songs(tmp_path, None).songs
    assert words(one) == {"guitar": ("guitar", ["t1", "t3"]), "bass": ("bass", ["t2"])}


def test_a_track_that_bleeds_is_left_out_with_a_warning(tmp_path):
    drums = [("snare drum", {"has_bleed": True}), ("kick drum", {"has_bleed": False})]
    song(tmp_path, "a", [("drums", drums), ("bass", [("bass guitar", {})])])
    song(tmp_path, "b", [("drums", drums[:1])])
    listing = read_songs(tmp_path, None)
    (one,) = listing.songs
    assert words(one) == {"drums": ("drums", ["t2"]), "bass": ("bass", ["t3"])}
    assert [(w.song, w.reason[:14]) for w in listing.warnings] == [
        ("a", "1 tracks bleed"),
        ("b", "1 tracks bleed"),
    ]
    assert listing.omitted == 1 and not listing.faults


def test_all_songs_of_an_artist_share_a_split_below_either_folder(tmp_path):
    root = tmp_path / "moisesdb_v0.1"
    bass = [("bass", [("bass guitar", {})])]
    for name, artist in (("a", "The Cat"), ("b", "THE CAT!"), ("c", "Dog"), ("d", "")):
        song(root, name, bass, artist=artist)
    for given in (root, tmp_path):
        splits = {one.id: one.split for one in read_songs(given, None).songs}
        assert splits == {
            "a": split_by_hash("thecat"),
            "b": split_by_hash("thecat"),
            "c": split_by_hash("dog"),
            "d": split_by_hash("d"),  # no artist: its own id
        }


def test_a_table_moves_and_omits(tmp_path):
    for name in "ab":
        song(tmp_path, name, [("bass", [("bass guitar", {})])])
    table = tmp_path / "splits.csv"
    table.write_text("title,split\nSome One - A,test\nSome One - B,omit\n")
    listing = read_songs(tmp_path, read_split_table(table))
    assert [(one.id, one.split) for one in listing.songs] == [("a", "test")]
    assert listing.omitted == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: (s / "data.json").write_text("{"), "not JSON"),
        (lambda s: (s / "data.json").write_text('{"stems": 3}'), "not MoisesDB's"),
        (lambda s: (s / "data.json").write_text("[]"), "expected a table"),
        (lambda s: (s / "data.json").write_text('{"stems": []}'), "lists no tracks"),
        (lambda s: (s / "bass" / "t1.wav").unlink(), "t1.wav is missing"),
    ],
)
def test_a_broken_song_is_a_fault_of_one_line(tmp_path, spoil, message):
    for name in "ab":
        song(tmp_path, name, [("bass", [("bass guitar", {})])])
    spoil(tmp_path / "a")
    listing = read_songs(tmp_path, None)
    (fault,) = listing.faults
    assert fault.song == "a" and message in fault.reason and "\n" not in fault.reason
    assert [one.id for one in listing.songs] == ["b"]


def test_the_command_prepares_rows_and_sums(tmp_path, monkeypatch, capsys):
    # t1 and t3 are the tracks of one drum stem: 2 s at 44.1 kHz and 1.5 s at 48 kHz,
    # so cut to 1.5 s; t2 is the bass, 2 s.
    seconds, rates = {1: 2.0, 2: 2.0, 3: 1.5}, {1: 44_100, 2: 32_000, 3: 48_000}

    def audio(path, number):
        rate = rates[number]
        tone = sine(seconds[number], pitch=110.0 * number, peak=0.1, rate=rate)
        write_audio(path, tone, rate)

    kick, snare = [("kick drum", {})], [("snare drum", {})]
    stems = [("drums", kick), ("bass", [("bass guitar", {})]), ("drums", snare)]
    song(tmp_path / "in", "a", stems, audio=audio)
    table = tmp_path / "splits.csv"
    table.write_text("id,split\na,train\n")
    prepare_command(monkeypatch, "moisesdb", tmp_path, "--splits", table)
    assert "train: 1 songs, 1 segments, 2 stems" in capsys.readouterr().out
    prepared = open_prepared(tmp_path / "out")
    rows = prepared.index("train")
    assert rows.stem_category.tolist() == [category_of("drums"), category_of("bass")]
    assert rows.segment_samples.tolist() == [64_000]
    drums, bass = read_stems(prepared, rows, 0, (0, 1), 0, 64_000) / 32_768
    both = sine(1.5, pitch=110.0, peak=0.1) + sine(1.5, pitch=330.0, peak=0.1)
    # Away from the ends, where the resampler rings: two roundings and its ripple.
    inner = slice(2000, 46_000)
    np.testing.assert_allclose(drums[inner], both[inner], atol=2e-4)
    assert not drums[48_000:].any()
    # At 32 kHz nothing is resampled; writing the file truncates to 16 bits.
    np.testing.assert_allclose(bass, sine(2.0, pitch=220.0, peak=0.1), atol=2**-15)

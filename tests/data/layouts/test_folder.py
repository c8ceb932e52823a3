"""Plain folders: names, numbers, mixes, stems.csv, splits."""

import pytest

from stemjax.config.categories import CATEGORIES
from stemjax.data.layouts.folder import read_songs
from stemjax.data.layouts.song import split_by_hash
from stemjax.data.layouts.split_table import read_split_table
from stemjax.io.errors import UserError
from tests.data.made_songs import empty


@pytest.fixture
def songs(tmp_path):
    for name in ("01_Bass.wav", "Lead Vocals.flac", "mix.wav", "cover.jpg"):
        empty(tmp_path / "Blue" / name)
    for name in ("guitar_2.wav", "Synth Lead.mp3", "02 - Mixdown.wav"):
        empty(tmp_path / "Red" / name)
    return tmp_path


def named(listing):
    """song -> file -> category word."""
    return {
        song.id: {
            stem.path.name: CATEGORIES[stem.category] if stem.category >= 0 else None
            for stem in song.stems
        }
        for song in listing.songs
    }


def test_categories_from_names_without_their_numbers_and_mixes_left_out(songs):
    assert named(read_songs(songs, None)) == {
        "Blue": {"01_Bass.wav": "bass", "Lead Vocals.flac": None},
        "Red": {"guitar_2.wav": "guitar", "Synth Lead.mp3": "synth-lead"},
    }


def test_a_name_that_is_no_category_is_warned_of(songs):
    (warning,) = read_songs(songs, None).warnings
    assert warning.song == "Blue"
    assert "Lead Vocals.flac" in warning.reason and "stems.csv" in warning.reason


def test_stems_csv_overrules_names(songs):
    (songs / "stems.csv").write_text(
        "song,file,category\n"
        "Blue,Lead Vocals.flac,Vocals\n"
        "Blue,mix.wav,drums\n"  # the user says that it is one
        "Red,guitar_2.wav,\n"
        "Red,Synth Lead.mp3,omit\n"
    )
    listing = read_songs(songs, None)
    assert named(listing) == {
        "Blue": {
            "01_Bass.wav": "bass",
            "Lead Vocals.flac": "voice",
            "mix.wav": "drums",
        },
        "Red": {"guitar_2.wav": None},
    }
    assert listing.warnings == ()


def test_a_listed_file_that_is_not_there_makes_the_song_a_fault(songs):
    (songs / "stems.csv").write_text("song,file,category\nRed,drumz.wav,drums\n")
    listing = read_songs(songs, None)
    assert [song.id for song in listing.songs] == ["Blue"]
    (fault,) = listing.faults
    assert fault.song == "Red" and "drumz.wav" in fault.reason


def test_a_listed_song_that_is_not_there_is_a_warning(songs):
    (songs / "stems.csv").write_text("song;file;category\nReed;bass.wav;drums\n")
    (warning, *_) = [w for w in read_songs(songs, None).warnings if w.song == "Reed"]
    assert "stems.csv lists it, but" in warning.reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "song,file\nRed,a.wav\n",
            "no column 'category' in its first line 'song,file'",
        ),
        ("song;file;category\nRed;a.wav;kazoo\n", "line 2: unknown instrument"),
        (
            "song,file,category\nRed,a.wav,bass\nRed,a.wav,drums\n",
            "line 3: 'a.wav' has two categories; keep one",
        ),
        ("song,file,category\nRed,a.wav,banjolele\n", "line 2: unknown instrument"),
    ],
)
def test_a_bad_stems_csv_is_refused(songs, text, message):
    (songs / "stems.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_songs(songs, None)


def test_without_split_folders_a_hash_of_the_name_splits(songs):
    found = {song.id: song.split for song in read_songs(songs, None).songs}
    assert found == {name: split_by_hash(name) for name in ("Blue", "Red")}


def test_split_folders_split_and_what_lies_beside_them_is_left(tmp_path):
    empty(tmp_path / "train" / "Blue" / "bass.wav")
    empty(tmp_path / "validation" / "Red" / "bass.wav")
    empty(tmp_path / "sketches" / "Green" / "bass.wav")
    found = {song.id: song.split for song in read_songs(tmp_path, None).songs}
    assert found == {"Blue": "train", "Red": "validation"}


def test_a_table_wins_and_a_song_without_audio_is_a_fault(tmp_path):
    empty(tmp_path / "train" / "Blue" / "bass.wav")
    empty(tmp_path / "train" / "Red" / "readme.txt")
    table = tmp_path / "splits.csv"
    table.write_text("title,split\nblue,test\n")
    listing = read_songs(tmp_path, read_split_table(table))
    assert [(song.id, song.split) for song in listing.songs] == [("Blue", "test")]
    assert [fault.song for fault in listing.faults] == ["Red"]


def test_one_song_in_two_splits_is_refused(tmp_path):
    for split in ("train", "test"):
        empty(tmp_path / split / "Blue" / "bass.wav")
    with pytest.raises(UserError, match="rename one"):
        read_songs(tmp_path, None)

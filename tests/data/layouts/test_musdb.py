"""MUSDB18-HQ's layout: two songs and one assertion per trap."""

import pytest

from stemjax.config.categories import category_of
from stemjax.data.layouts.musdb import VALIDATION, read_songs
from stemjax.data.layouts.split_table import read_split_table
from stemjax.io.errors import UserError
from tests.data.made_songs import empty

FILES = ("mixture", "vocals", "drums", "bass", "other")


def song(root, folder, title, files=FILES):
    for name in files:
        empty(root / folder / title / f"{name}.wav")


@pytest.fixture
def musdb(tmp_path):
    song(tmp_path, "train", "A Classic Education - NightOwl")
    song(tmp_path, "test", "PR - Oh No")
    return tmp_path


def test_songs_splits_and_categories(musdb):
    songs = read_songs(musdb, None).songs
    assert [(one.id, one.split, one.source) for one in songs] == [
        ("A Classic Education - NightOwl", "train", "musdb18-hq"),
        ("PR - Oh No", "test", "musdb18-hq"),
    ]
    for one in songs:
        assert {stem.name: stem.category for stem in one.stems} == {
            "drums": category_of("drums"),
            "bass": category_of("bass"),
            "vocals": category_of("voice"),
            "other": -1,  # several instruments
        }


def test_the_mixture_is_no_stem(musdb):
    for one in read_songs(musdb, None).songs:
        assert "mixture.wav" not in [stem.path.name for stem in one.stems]


def test_the_fourteen_validation_titles_come_out_of_train(tmp_path):
    assert len(VALIDATION) == 14
    for title in VALIDATION:
        song(tmp_path, "train", title)
    song(tmp_path, "test", "Leaf - Summerghost 2")  # only the exact titles of train
    found = {one.id: one.split for one in read_songs(tmp_path, None).songs}
    assert found.pop("Leaf - Summerghost 2") == "test"
    assert set(found.values()) == {"validation"}


@pytest.mark.parametrize(
    ("title", "word"),
    [
        ("PR - Oh No", "left channel"),
        ("Hop Along - Sister Cities", "bleed"),
        ("Chris Durban - Celebrate", "bleed"),
        ("Leaf - Wicked", "bleed"),
        ("Detsky Sad - Walkie Talkie", "bleed"),
        ("BKS - Bulldozer", "bleed"),
    ],
)
def test_known_bad_songs_are_warned_of_and_kept(tmp_path, title, word):
    song(tmp_path, "train", title)
    song(tmp_path, "train", "Leaf - Come Around")
    listing = read_songs(tmp_path, None)
    (warning,) = listing.warnings
    assert warning.song == title and word in warning.reason
    assert len(listing.songs) == 2


def test_a_missing_stem_is_a_fault(musdb):
    song(musdb, "train", "Half - Unpacked", FILES[:-1])
    listing = read_songs(musdb, None)
    (fault,) = listing.faults
    assert fault.song == "Half - Unpacked" and "other.wav is missing" in fault.reason
    assert len(listing.songs) == 2


def test_the_lossy_edition_is_refused(tmp_path):
    empty(tmp_path / "train" / "A Classic Education - NightOwl.stem.mp4")
    with pytest.raises(UserError, match="use MUSDB18-HQ"):
        read_songs(tmp_path, None)


def test_a_table_moves_and_omits(musdb):
    table = musdb / "splits.csv"
    table.write_text(
        "title,split\nPR - Oh No,omit\nA Classic Education - NightOwl,test\n"
    )
    listing = read_songs(musdb, read_split_table(table))
    (one,) = listing.songs
    assert one.split == "test" and listing.omitted == 1

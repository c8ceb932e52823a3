"""Slakh2100's layout: two songs and one assertion per trap of the real archive."""

import pytest

from stemjax.config.categories import CATEGORIES, category_of
from stemjax.data.layouts.slakh import read_songs
from stemjax.data.layouts.song import SPLITS, split_by_hash
from stemjax.data.layouts.split_table import read_split_table
from stemjax.io.errors import UserError
from tests.data.made_songs import empty, slakh_song


def entry(program=None, inst_class=None, is_drum=False, **more):
    """A stem's entry; like Slakh's, with what a test does not care about left out."""
    named = {"program_num": program, "inst_class": inst_class}
    return {"is_drum": is_drum, **{k: v for k, v in named.items() if v is not None}} | {
        "plugin_name": "some.nkm",
        "integrated_loudness": -20.0,
        **more,
    }


NOT_RENDERED = {
    "audio_rendered": False,
    "midi_saved": False,
    "plugin_name": "None",  # Slakh writes the word
    "program_num": 103,
    "inst_class": "Sound Effects",
    "is_drum": False,
}  # and no integrated_loudness


@pytest.fixture
def redux(tmp_path):
    """Two songs in redux's folders, a third in omitted."""
    slakh_song(
        tmp_path / "train" / "Track00616",
        {
            "S00": entry(0, "Piano"),
            "S01": entry(24, "Guitar"),  # MIDI but no audio
            "S04": entry(33, "Bass"),
            "S05": entry(25, "Guitar"),
            "S06": NOT_RENDERED,
            "S07": entry(0, "Drums", is_drum=True),
        },
        ["S00.flac", "S04.flac", "S05.flac", "S07.flac", "S09.flac", "notes.txt"],
        UUID="a" * 32,
        audio_dir="/Users/somebody/elsewhere",
        midi_dir="/Users/somebody/elsewhere",
    )
    slakh_song(
        tmp_path / "test" / "Track01876",
        {"S00": entry(52, "Strings (continued)")},
        ["S00.flac"],
        UUID="b" * 32,
    )
    slakh_song(
        tmp_path / "omitted" / "Track00003", {"S00": entry(0)}, ["S00.flac"], UUID="c"
    )
    return tmp_path


def stems_of(listing, song):
    (found,) = [one for one in listing.songs if one.id == song]
    return {stem.name: stem.category for stem in found.stems}


def test_redux_folders_are_the_splits_and_omitted_is_left_out(redux):
    listing = read_songs(redux, None)
    assert [(song.id, song.split) for song in listing.songs] == [
        ("Track00616", "train"),
        ("Track01876", "test"),
    ]
    assert listing.faults == ()


def test_stems_start_at_s00(redux):
    assert stems_of(read_songs(redux, None), "Track00616")["S00"] == 0


def test_stems_are_what_has_audio_whatever_the_metadata_and_the_gaps(redux):
    stems = stems_of(read_songs(redux, None), "Track00616")
    assert list(stems) == ["S00", "S04", "S05", "S07", "S09"]


def test_a_stem_that_was_not_rendered_is_no_stem(redux):
    assert "S06" not in stems_of(read_songs(redux, None), "Track00616")


def test_audio_without_metadata_is_unknown_and_said_so(redux):
    listing = read_songs(redux, None)
    assert stems_of(listing, "Track00616")["S09"] == -1
    (warning,) = listing.warnings
    assert warning.song == "Track00616" and "S09.flac" in warning.reason


def test_paths_come_from_the_folder_never_from_audio_dir(redux):
    song = read_songs(redux, None).songs[0]
    folder = redux / "train" / "Track00616" / "stems"
    assert {stem.path.parent for stem in song.stems} == {folder}


def test_drums_are_drums_though_their_program_is_zero(redux):
    stems = stems_of(read_songs(redux, None), "Track00616")
    assert stems["S07"] == category_of("drums") and stems["S00"] == 0


@pytest.mark.parametrize(
    ("words", "category"),
    [
        ({"inst_class": "Sound Effects"}, "synth-effects"),
        ({"inst_class": "Sound effects"}, "sound-effects"),  # one letter's case
        ({"inst_class": "Strings"}, "strings"),
        ({"inst_class": "Strings (continued)"}, "ensemble"),
        ({"inst_class": "Drums"}, "drums"),
        ({"program": 22, "inst_class": "Reed"}, "organ"),  # the program decides
        ({"program": 119, "inst_class": "Sound effects"}, "percussive"),  # A20
        ({"program": 128, "inst_class": "Piano"}, "drums"),
        ({"program": 0, "inst_class": "Piano", "is_drum": True}, "drums"),
        ({"program": 103}, "synth-effects"),
    ],
)
def test_category_of_an_entry(tmp_path, words, category):
    slakh_song(tmp_path / "Track00001", {"S00": entry(**words)}, ["S00.flac"])
    assert CATEGORIES[stems_of(read_songs(tmp_path, None), "Track00001")["S00"]] == (
        category
    )


@pytest.mark.parametrize("odd", [{"inst_class": "sound effects"}, {"program": 200}])
def test_an_entry_that_says_nothing_usable_is_unknown(tmp_path, odd):
    slakh_song(tmp_path / "Track00001", {"S00": entry(**odd)}, ["S00.flac"])
    assert stems_of(read_songs(tmp_path, None), "Track00001") == {"S00": -1}


def test_the_same_midi_is_kept_once_and_for_training(tmp_path):
    for split, track, uuid in [
        ("test", "Track00001", "same"),
        ("train", "Track00005", "same"),
        ("train", "Track00004", "same"),
        ("train", "Track00006", None),  # no UUID is not a common UUID
        ("train", "Track00007", None),
    ]:
        slakh_song(tmp_path / split / track, {"S00": entry(0)}, ["S00.wav"], UUID=uuid)
    listing = read_songs(tmp_path, None)
    assert [song.id for song in listing.songs] == [
        "Track00004",
        "Track00006",
        "Track00007",
    ]
    assert listing.omitted == 2


def test_a_flat_folder_splits_by_the_songs_own_split_then_by_a_hash(tmp_path):
    slakh_song(tmp_path / "Track00001", {"S00": entry(0)}, ["S00.wav"])
    slakh_song(tmp_path / "Track00002", {"S00": entry(0)}, ["S00.wav"], split="test")
    slakh_song(tmp_path / "Track00003", {"S00": entry(0)}, ["S00.wav"], split="dev")
    found = {song.id: song.split for song in read_songs(tmp_path, None).songs}
    assert found == {
        "Track00001": split_by_hash("Track00001"),
        "Track00002": "test",
        "Track00003": split_by_hash("Track00003"),
    }


def test_the_hash_is_fixed_and_spreads_eighty_ten_ten():
    # Pinned: another hash would move songs between the splits of existing data sets.
    names = ["Track00001", "Track00009", "Track00003"]
    assert tuple(split_by_hash(name) for name in names) == SPLITS
    counts = dict.fromkeys(SPLITS, 0)
    for number in range(2000):
        counts[split_by_hash(f"song {number}")] += 1
    # Three standard deviations of a binomial of 2000 are 54 and 40.
    assert abs(counts["train"] - 1600) < 54
    assert abs(counts["validation"] - 200) < 40 and abs(counts["test"] - 200) < 40


def songs_for_a_table(tmp_path, rows):
    table = tmp_path / "splits.csv"
    table.write_text(rows)
    root = tmp_path / "songs"
    for track, top in [
        (
            "Track00001",
            {"source_midi": "d_E1M1.mid", "title": "Steel", "split": "test"},
        ),
        ("Track00002", {"title": "Brass, and more", "split": "test"}),
        ("Track00003", {"split": "test"}),
        ("Track00004", {"title": "nowhere", "split": "test"}),
    ]:
        slakh_song(root / track, {"S00": entry(0)}, ["S00.wav"], **top)
    listing = read_songs(root, read_split_table(table))
    return {song.id: song.split for song in listing.songs}, listing.omitted


def test_a_table_finds_songs_by_file_title_and_track_and_wins(tmp_path):
    found, omitted = songs_for_a_table(
        tmp_path,
        "file,title,id,split\n"
        "d_e1m1.mid,,,train\n"
        ',"Brass, and more",,validation\n'
        ",,Track00003,train\n",
    )
    assert found == {
        "Track00001": "train",
        "Track00002": "validation",
        "Track00003": "train",
        "Track00004": "test",  # no row: its own
    }
    assert omitted == 0


def test_the_file_of_a_table_goes_before_the_title_and_omit_omits(tmp_path):
    found, omitted = songs_for_a_table(
        tmp_path,
        "file,title,split\nd_e1m1.mid,Other,validation\nx.mid,Steel,train\n"
        "y.mid,nowhere,omit\n",
    )
    assert found["Track00001"] == "validation"
    assert "Track00004" not in found and omitted == 1


def test_a_table_wins_over_the_folder(redux):
    table = redux / "splits.csv"
    table.write_text("id,split\nTrack00616,validation\n")
    (song, _) = read_songs(redux, read_split_table(table)).songs
    assert (song.id, song.split) == ("Track00616", "validation")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,titel\na,b\n", "no column 'split' in its first line 'file,titel'"),
        ("split\ntrain\n", "give a column split and one of"),
        ("file,split\na.mid,trian\n", "line 2: split 'trian' must be one of"),
        ("file;split\na.mid;Test\n", "line 2: split 'Test' must be one of"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, message):
    table = tmp_path / "splits.csv"
    table.write_text(text)
    with pytest.raises(UserError, match=message):
        read_split_table(table)


def test_rows_that_name_no_song_are_counted(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("file,title,split\na.mid,A,test\nb.mid,,train\n,C,omit\n")
    table = read_split_table(path)
    assert "3 of 3 rows name no song of the data, file 'a.mid'" in table.unused()
    assert table.split_of(file=None, title="a", id="x") == "test"
    assert table.split_of(file="B.mid", title="A", id="x") == "train"
    assert "1 of 3 rows name no song of the data, title 'c'" in table.unused()
    table.split_of(file=None, title="C", id="x")
    assert table.unused() is None


def test_rows_that_disagree_are_refused_when_they_decide(tmp_path):
    with pytest.raises(UserError, match="'Steel' has the splits test, train"):
        songs_for_a_table(tmp_path, "title,split\nSteel,test\nSteel,train\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "cannot read"),
        ("just words", "no mapping"),
        ("stems: [1]", "is not Slakh's"),
        (None, "metadata.yaml is missing"),
        ("stems: {S00: {program_num: 0}}", "no audio file"),
    ],
)
def test_a_broken_song_is_a_fault_and_the_others_stay(tmp_path, content, message):
    slakh_song(tmp_path / "Track00001", {"S00": entry(0)}, ["S00.wav"])
    (tmp_path / "Track00002").mkdir()
    if content is not None:
        (tmp_path / "Track00002" / "metadata.yaml").write_text(content)
    listing = read_songs(tmp_path, None)
    assert [song.id for song in listing.songs] == ["Track00001"]
    (fault,) = listing.faults
    assert fault.song == "Track00002" and message in fault.reason


def test_hidden_folders_and_files_are_not_read(tmp_path):
    slakh_song(tmp_path / "Track00001", {"S00": entry(0)}, ["S00.wav"])
    slakh_song(tmp_path / ".Track00002.part", {"S00": entry(0)}, ["S00.wav"])
    empty(tmp_path / "Track00001" / "stems" / "._S00.wav")
    (song,) = read_songs(tmp_path, None).songs
    assert [stem.name for stem in song.stems] == ["S00"]

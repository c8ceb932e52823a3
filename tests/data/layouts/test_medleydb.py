"""MedleyDB's layout: made songs and one assertion per trap of the archive."""

import numpy as np
import pytest
import yaml

from stemjax.config.categories import CATEGORIES, category_of
from stemjax.data.drawing.audio import read_stems
from stemjax.data.layouts.medleydb import INSTRUMENTS, KNOWN_BLEED, read_songs
from stemjax.data.layouts.song import split_by_hash
from stemjax.data.layouts.split_table import read_split_table
from stemjax.data.prepared.records import open_prepared
from tests.data.made_songs import empty, prepare_command, sine, write_audio

SECONDS = 2.0


def song(root, name, stems, *, audio=None, metadata=None, **top):
    """A song whose stems are (instrument, component); `audio` writes each, by number."""
    entries = {}
    for number, (instrument, component) in enumerate(stems, 1):
        file = f"{name}_STEM_{number:02}.wav"
        path = root / name / f"{name}_STEMS" / file
        audio(path, number) if audio else empty(path)
        raw = {"R01": {"filename": f"{name}_RAW_{number:02}_01.wav"}}
        entries[f"S{number:02}"] = {
            "component": component,
            "filename": file,
            "instrument": instrument,
            "raw": raw,
        }
    meta = {"artist": "Some One", "title": name, "has_bleed": "no", **top}
    meta |= {"stem_dir": f"{name}_STEMS", "stems": entries}
    folder = metadata or root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}_METADATA.yaml").write_text(yaml.safe_dump(meta))
    empty(root / name / f"{name}_MIX.wav")
    empty(root / name / f"{name}_RAW" / f"{name}_RAW_01_01.wav")


def words(listing):
    """Song -> category word of each of its stems, None for unknown."""
    return {
        one.id: [CATEGORIES[s.category] if s.category >= 0 else None for s in one.stems]
        for one in listing.songs
    }


def test_categories_lists_components_and_names_without_one(tmp_path):
    song(
        tmp_path,
        "One_Song",
        [
            ("drum set", ""),
            ("double bass", "bass"),
            (["male singer", "vocalists"], "melody"),  # a list, of one category
            (["piano", "acoustic guitar"], ""),  # of two
            (["male singer", "Unlabeled"], "melody"),
            ("Unlabeled", "bass"),
            ("Main System", ""),
            ("synthesizer", "melody"),
            ("synthesizer", "bass"),
            ("synthesizer", ""),
            ("nose flute", ""),  # of no taxonomy
        ],
    )
    (found,) = read_songs(tmp_path, None).songs
    assert [stem.name for stem in found.stems[:2]] == ["S01", "S02"]
    assert found.source == "medleydb" and found.title == "Some One - One_Song"
    assert words(read_songs(tmp_path, None))["One_Song"] == [
        *("drums", "bass", "voice", None, None, None, None),
        *("synth-lead", "bass", None, None),
    ]


def test_every_instrument_has_one_category_that_exists():
    names = [name for names in INSTRUMENTS.values() for name in names]
    assert len(names) == len(set(names)) == 118  # of the taxonomy's 122
    for word in INSTRUMENTS:
        assert CATEGORIES[category_of(word)] == word


def test_songs_that_bleed_are_left_out(tmp_path):
    song(tmp_path, "Loud_Room", [("violin", "melody")], has_bleed="yes")
    song(tmp_path, "Louder_Room", [("violin", "melody")], has_bleed=True)
    song(tmp_path, "Clean_Room", [("violin", "melody")])
    for name in sorted(KNOWN_BLEED)[:1]:  # said by the errata alone
        song(tmp_path, name, [("violin", "melody")])
    listing = read_songs(tmp_path, None)
    assert words(listing) == {"Clean_Room": ["strings"]}
    assert listing.omitted == 3 and not listing.faults


def test_all_songs_of_an_artist_share_a_split(tmp_path):
    for title in ("Rain", "RainRemix", "Sun"):
        song(tmp_path, f"HopsNVinyl_{title}", [("piano", "")], artist=f"Hops {title}")
    # One ensemble's recordings, filed under composers.
    for composer in ("Schubert", "Debussy", "Wolf"):
        song(tmp_path, f"{composer}_Lied", [("piano", "")], artist="NYU")
    splits = {one.id: one.split for one in read_songs(tmp_path, None).songs}
    hops = {splits[f"HopsNVinyl_{title}"] for title in ("Rain", "RainRemix", "Sun")}
    assert hops == {split_by_hash("hopsnvinyl")}
    nyu = {splits[f"{name}_Lied"] for name in ("Schubert", "Debussy", "Wolf")}
    assert nyu == {split_by_hash("nyu")}


def test_a_table_moves_and_omits(tmp_path):
    song(tmp_path, "One_Song", [("piano", "")])
    song(tmp_path, "Two_Song", [("piano", "")])
    table = tmp_path / "splits.csv"
    table.write_text(
        "title,split\nSome One - One_Song,test\nSome One - Two_Song,omit\n"
    )
    listing = read_songs(tmp_path, read_split_table(table))
    assert [(one.id, one.split) for one in listing.songs] == [("One_Song", "test")]
    assert listing.omitted == 1


def test_both_volumes_and_metadata_beside_the_audio(tmp_path):
    song(tmp_path / "V1", "One_Song", [("piano", "")])
    song(tmp_path / "V2", "Two_Song", [("flute", "")], metadata=tmp_path / "Metadata")
    listing = read_songs(tmp_path, None)
    assert words(listing) == {"One_Song": ["piano"], "Two_Song": ["pipe"]}
    assert not listing.faults


def rewrite(folder, **changes):
    """Change entries of a song's metadata."""
    path = folder / f"{folder.name}_METADATA.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def rewrite_stem(folder, **changes):
    """Change entries of the first stem in a song's metadata."""
    path = folder / f"{folder.name}_METADATA.yaml"
    stems = yaml.safe_load(path.read_text())["stems"]
    rewrite(folder, stems=stems | {"S01": stems["S01"] | changes})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: (s / "A_B_METADATA.yaml").unlink(), "_METADATA.yaml is missing"),
        (lambda s: (s / "A_B_METADATA.yaml").write_text("a: [1"), "cannot read"),
        (lambda s: (s / "A_B_METADATA.yaml").write_text("stems: 3"), "not MedleyDB's"),
        (lambda s: (s / "A_B_METADATA.yaml").write_text("[" * 9999), "cannot read"),
        (lambda s: (s / "A_B_METADATA.yaml").write_bytes(b"a: \xe9"), "cannot read"),
        (lambda s: rewrite(s, artist=["A", "B"]), "artist must be a text, not a list"),
        (lambda s: rewrite(s, title={"a": 1}), "title must be a text, not a mapping"),
        (lambda s: rewrite(s, stems=[1]), "`stems` must map SXX to files"),
        (lambda s: rewrite(s, stems={1: {"filename": "a"}}), "must map SXX to files"),
        (lambda s: rewrite_stem(s, instrument={"a": 1}), "instrument of S01 must be a"),
        (lambda s: rewrite_stem(s, instrument=[["a"]]), "instrument of S01 must be a"),
        (lambda s: rewrite_stem(s, filename="../../x.wav"), "is outside of"),
        (
            lambda s: (s / "A_B_STEMS/A_B_STEM_02.wav").unlink(),
            "STEM_02.wav is missing",
        ),
    ],
)
def test_a_broken_song_is_a_fault_of_one_line(tmp_path, spoil, message):
    song(tmp_path, "A_B", [("piano", ""), ("flute", "")])
    song(tmp_path, "C_D", [("piano", "")])
    spoil(tmp_path / "A_B")
    listing = read_songs(tmp_path, None)
    (fault,) = listing.faults
    assert fault.song == "A_B" and message in fault.reason and "\n" not in fault.reason
    assert [one.id for one in listing.songs] == ["C_D"]


def test_the_command_prepares_rows_and_sums(tmp_path, monkeypatch, capsys):
    # Stereo at two rates; a stem that ends early is padded.
    def audio(path, number):
        rate = (44_100, 48_000)[number - 1]
        tone = sine(SECONDS / number, pitch=220.0 * number, peak=0.2, rate=rate)
        write_audio(path, np.stack([tone, 0 * tone], axis=1), rate)

    song(tmp_path / "in", "One_Song", [("cello", ""), ("flute", "")], audio=audio)
    table = tmp_path / "splits.csv"
    table.write_text("id,split\nOne_Song,train\n")
    prepare_command(monkeypatch, "medleydb", tmp_path, "--splits", table)
    assert "train: 1 songs, 1 segments, 2 stems" in capsys.readouterr().out
    prepared = open_prepared(tmp_path / "out")
    rows = prepared.index("train")
    assert rows.songs == ("One_Song",)
    assert rows.stem_category.tolist() == [category_of("strings"), category_of("pipe")]
    assert rows.segment_samples.tolist() == [64_000]
    mix = read_stems(prepared, rows, 0, (0, 1), 0, 64_000).sum(axis=0, dtype=np.int32)
    expected = 0.1 * np.sin(2 * np.pi * 220 * np.arange(64_000) / 32_000)
    expected[:32_000] += sine(1.0, pitch=440.0, peak=0.1)
    # Away from the ends, where the resampler rings: two roundings and its ripple.
    inner = np.r_[2000:30_000, 34_000:62_000]
    np.testing.assert_allclose(mix[inner] / 32_768, expected[inner], atol=2e-4)

"""examples/bundle/splits/freedoom.csv against Freedoom's own credits.

fixtures/freedoom/CREDITS-MUSIC is Freedoom's (BSD-3, COPYING.adoc beside it).
"""

import csv
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
CREDITS = pathlib.Path(__file__).parents[1] / "fixtures" / "freedoom" / "CREDITS-MUSIC"
MIDI = ROOT.parent / "shared" / "data" / "freedoom_midi"  # where present


@pytest.fixture(scope="module")
def freedoom():
    with (ROOT / "examples" / "bundle" / "splits" / "freedoom.csv").open(
        newline=""
    ) as file:
        return list(csv.DictReader(file))


def test_every_freedoom_file_is_in_one_split(freedoom):
    files = [row["file"] for row in freedoom]
    assert len(files) == len(set(files)) == 112
    count = {
        split: sum(row["split"] == split for row in freedoom)
        for split in ("train", "validation", "test", "omit")
    }
    assert count == {"train": 88, "validation": 9, "test": 13, "omit": 2}
    if MIDI.is_dir():
        assert sorted(files) == sorted(p.name for p in MIDI.glob("*.mid"))


def test_what_is_no_song_of_its_own_is_omitted(freedoom):
    omitted = [row["file"] for row in freedoom if row["split"] == "omit"]
    assert omitted == ["d_introa.mid", "dummy.mid"]


def test_composers_are_not_split_but_for_map01(freedoom):
    """A composer's songs are all in one split; MAP01 is test, her others train."""
    splits = {}
    for row in freedoom:
        name = re.split(r", | and | & ", row["composer"])[0]
        if row["split"] != "omit" and row["file"] != "d_map01.mid":
            splits.setdefault(name, set()).add(row["split"])
    assert {name: s for name, s in splits.items() if len(s) > 1} == {}
    assert len(splits) >= 20


def credited(freedoom):
    """(file, credit) of every current line of CREDITS-MUSIC."""
    odd = {"Phase 1": ("d_intro", "d_inter"), "Phase 2": ("d_dm2ttl", "d_dm2int")}
    odd["FreeDM"] = ("d_fdmttl", "d_fdmint")
    story = {"Phase 2": "d_read_m", "FreeDM": "d_fdmrdm"}
    text = CREDITS.read_text().split("--Previously")[0]
    for section, body in re.findall(r"--(.*?)--\n(.*?)(?=\n--|\Z)", text, re.DOTALL):
        title, inter = odd[section]
        slots = {"Title": title, "Intermission": inter, "Story": story.get(section)}
        slots |= {"Victory": "d_victor", "Bunny": "d_bunny"}
        for slot, credit in re.findall(r"^\s*(\w+): (.*)$", body, re.MULTILINE):
            yield slots.get(slot, "d_" + slot.lower()) + ".mid", credit


def test_the_table_says_what_credits_music_says(freedoom):
    table = {row["file"]: row for row in freedoom}
    lines = dict(credited(freedoom))
    assert len(lines) == 110
    for file, credit in lines.items():
        row = table[file]
        assert credit.replace('"', "") == (
            f"{row['title']} by {row['composer']}".replace('"', "")
        ), file


def test_remixes_share_a_split_with_their_originals_and_these_composers(freedoom):
    table = {row["file"]: row for row in freedoom}
    by_title = {row["title"]: row["split"] for row in freedoom}
    tie = re.compile(r"(?:remix of|based on|originally by|modified by) (.*)")
    pairs = 0
    for file, credit in credited(freedoom):
        if not (found := tie.search(credit)):
            continue
        pairs += 1
        title, _, author = found[1].rpartition(" by ")
        split = table[file]["split"]
        if original := by_title.get(title.strip('"')):
            assert original == split, credit
        for row in freedoom:  # songs by the author of the original
            if row["split"] != "omit" and re.search(
                rf"(^|and |& |by ){re.escape(author)}($|,| and)", row["composer"]
            ):
                assert row["split"] == split, (credit, row["file"])
    assert pairs == 14
    assert by_title["Paranoia"] == table["d_map30.mid"]["split"]


def test_e1m1_map01_and_their_relatives_are_test(freedoom):
    """With E1M5, E1M1 until 0.12.1, and all else by the authors of both E1M1."""
    test = {row["file"] for row in freedoom if row["split"] == "test"}
    assert {"d_e1m1.mid", "d_map01.mid", "d_e1m5.mid"} <= test
    for row in freedoom:
        if re.search("J.Astartes|Mr795|Ralphis", row["composer"]):
            assert row["file"] in test

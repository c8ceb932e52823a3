"""Recordings out of unpacked packages: joined, scaled, split; the committed table."""

import csv
import io
import sys
import zipfile

import numpy as np
import pytest
import soundfile

from examples.bundle.recordings import (
    DEFAULT_TABLE,
    RecordingsArgs,
    lay_out,
    main,
    read_table,
)
from stemjax.config.categories import category_of
from stemjax.data.layouts.folder import read_songs
from tests.data.made_songs import sine, write_audio

HEAD = "package,file,song,stem,category,split\n"


@pytest.fixture
def packages(tmp_path):
    root = tmp_path / "packages"
    for number, name in enumerate(("b", "a", "c")):
        tone = sine(0.5, pitch=200.0 * (number + 1))
        write_audio(root / "kit" / "usr" / f"hit_{name}.wav", tone)
    write_audio(root / "band" / "guitar.wav", 0.9 * np.ones(32_000))
    write_audio(root / "band" / "rest.wav", 0.5 * np.ones(32_000))
    with zipfile.ZipFile(root / "band" / "music.pk3", "w") as archive:
        for name in ("x", "y"):
            file = io.BytesIO()
            soundfile.write(file, sine(1.0, pitch=300.0), 44_100, format="wav")
            archive.writestr(f"music/{name}.wav", file.getvalue())
    return root


def laid_out(packages, rows):
    table = packages.parent / "table.csv"
    table.write_text(HEAD + rows)
    out = packages.parent / "out"
    return RecordingsArgs(packages_root=packages, out=out, table=table)


def test_files_of_a_pattern_and_rows_of_a_stem_are_joined_in_order(packages):
    rows = "kit,usr/hit_[ab].wav,hits,all,drums,train\n"
    rows += "kit,usr/hit_c.wav,hits,all,drums,train\n"
    args = laid_out(packages, rows + "band,music.pk3/music/x.wav,x,mix,,test\n")
    assert lay_out(args) == 2
    audio, rate = soundfile.read(args.out / "train" / "hits" / "all.flac")
    assert rate == 32_000
    # a (400 Hz), b (200 Hz), c (600 Hz); truncated twice to 16 bits.
    joined = np.concatenate([sine(0.5, pitch=f) for f in (400.0, 200.0, 600.0)])
    np.testing.assert_allclose(audio, joined, atol=2**-14)
    audio, rate = soundfile.read(args.out / "test" / "x" / "mix.flac")
    assert len(audio) == round(32_000 / 44_100 * 32_000)  # 32,000 samples of 44.1 kHz
    listing = read_songs(args.out, None)
    assert [(s.id, s.split, s.stems[0].category) for s in listing.songs] == [
        ("hits", "train", category_of("drums")),
        ("x", "test", -1),
    ]
    assert not listing.faults and not listing.warnings


def test_a_loud_song_is_scaled_all_its_stems_alike(packages):
    loud = packages / "band" / "loud.wav"
    soundfile.write(loud, 1.6 * np.ones(32_000), 32_000, subtype="FLOAT")
    rows = "band,loud.wav,one,a,,train\nband,rest.wav,one,b,,train\n"
    args = laid_out(packages, rows)
    lay_out(args)
    levels = [soundfile.read(args.out / f"train/one/{n}.flac")[0][500] for n in "ab"]
    np.testing.assert_allclose(levels, [1.0, 0.5 / 1.6], atol=1e-4)


def test_started_again_it_keeps_songs_and_refuses_another_table(packages):
    row = "band,guitar.wav,one,guitar,guitar,train\n"
    args = laid_out(packages, row)
    lay_out(args)
    made = args.out / "train" / "one" / "guitar.flac"
    first = made.stat().st_mtime_ns
    assert lay_out(args) == 1 and made.stat().st_mtime_ns == first
    with pytest.raises(Exception, match="holds other songs"):
        lay_out(laid_out(packages, row.replace("one", "two")))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("horn,a.wav,one,a,,train\n", "horn is no folder: apt-get download horn"),
        ("band,flute.wav,one,a,,train\n", "no file flute.wav in"),
        ("band,music.pk3/music/z.wav,one,a,,train\n", "no file music.pk3/music/z.wav"),
        ("band,rest.wav/a.wav,one,a,,train\n", "rest.wav is no zip archive"),
        ("band,rest.wav,one,a,,valid\n", "one has the split 'valid', not one of"),
        (
            "band,rest.wav,one,a,,train\nband,guitar.wav,one,b,,test\n",
            "one is in two splits",
        ),
    ],
)
def test_bad_input_is_one_line_and_two(packages, monkeypatch, capsys, rows, message):
    args = laid_out(packages, rows)
    flags = ["--packages-root", packages, "--out", args.out, "--table", args.table]
    monkeypatch.setattr(sys, "argv", ["recordings", *map(str, flags)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert not list(args.out.glob("*/one"))  # nothing half-written
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ") and message in line


def test_the_committed_table_is_whole_and_openly_licensed():
    rows = read_table(DEFAULT_TABLE)
    assert {row.split for row in rows} == {"train", "validation", "test"}
    for row in rows:
        assert not row.category or category_of(row.category) >= 0
    with DEFAULT_TABLE.open(newline="", encoding="utf-8") as file:
        plain = list(csv.DictReader(file))
    assert all(row["authors"] for row in plain)
    assert {row["licence"] for row in plain} == {
        *("BSD-2-Clause", "BSD-like", "CC-BY-3.0", "CC-BY-4.0", "CC0-1.0", "MIT"),
        "public domain",
    }

"""The bundle's script: recordings out of packages, its command lines, its time budget."""

import csv
import importlib.util
import io
import pathlib
import shlex
import zipfile

import numpy as np
import pytest
import soundfile

from stemjax.config.categories import category_of
from stemjax.config.presets import PRESETS
from stemjax.data.layouts.folder import read_songs
from stemjax.data.prepare import PrepareArgs
from stemjax.data.render.arguments import RenderArgs
from tests.data.made_songs import sine, write_audio

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "bundle" / "bundle.py"
FOREVER = float("inf")
HEAD = "package,file,song,stem,category,split\n"


@pytest.fixture(scope="module")
def bundle():
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.path", list(__import__("sys").path))
        spec = importlib.util.spec_from_file_location("bundle", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        patch.setitem(__import__("sys").modules, "bundle", module)
        spec.loader.exec_module(module)
        yield module


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


@pytest.fixture
def laid_out(bundle, packages):
    """Function that writes a table of rows; returns the arguments and the songs."""

    def write(rows):
        table = packages.parent / "table.csv"
        table.write_text(HEAD + rows)
        out = packages.parent / "out"
        phase = bundle.Phase.RECORDINGS
        args = bundle.BundleArgs(phase=phase, packages=packages, out=out, table=table)
        return args, out / "recordings" / "songs"

    return write


def test_files_of_a_pattern_and_rows_of_a_stem_are_joined_in_order(bundle, laid_out):
    rows = "kit,usr/hit_[ab].wav,hits,all,drums,train\n"
    rows += "kit,usr/hit_c.wav,hits,all,drums,train\n"
    args, songs = laid_out(rows + "band,music.pk3/music/x.wav,x,mix,,test\n")
    bundle.lay_out(args, FOREVER)
    audio, rate = soundfile.read(songs / "train" / "hits" / "all.flac")
    assert rate == 32_000
    # a (400 Hz), b (200 Hz), c (600 Hz); truncated twice to 16 bits.
    joined = np.concatenate([sine(0.5, pitch=f) for f in (400.0, 200.0, 600.0)])
    np.testing.assert_allclose(audio, joined, atol=2**-14)
    audio, rate = soundfile.read(songs / "test" / "x" / "mix.flac")
    assert len(audio) == round(32_000 / 44_100 * 32_000)  # 32,000 samples of 44.1 kHz
    listing = read_songs(songs, None)
    assert [(s.id, s.split, s.stems[0].category) for s in listing.songs] == [
        ("hits", "train", category_of("drums")),
        ("x", "test", -1),
    ]
    assert not listing.faults and not listing.warnings


def test_a_loud_song_is_scaled_all_its_stems_alike(bundle, packages, laid_out):
    loud = packages / "band" / "loud.wav"
    soundfile.write(loud, 1.6 * np.ones(32_000), 32_000, subtype="FLOAT")
    rows = "band,loud.wav,one,a,,train\nband,rest.wav,one,b,,train\n"
    args, songs = laid_out(rows)
    bundle.lay_out(args, FOREVER)
    levels = [soundfile.read(songs / f"train/one/{n}.flac")[0][500] for n in "ab"]
    np.testing.assert_allclose(levels, [1.0, 0.5 / 1.6], atol=1e-4)


def test_started_again_it_keeps_songs_and_refuses_another_table(bundle, laid_out):
    row = "band,guitar.wav,one,guitar,guitar,train\n"
    args, songs = laid_out(row)
    bundle.lay_out(args, FOREVER)
    made = songs / "train" / "one" / "guitar.flac"
    first = made.stat().st_mtime_ns
    bundle.lay_out(args, FOREVER)
    assert made.stat().st_mtime_ns == first
    with pytest.raises(Exception, match="holds other songs"):
        bundle.lay_out(laid_out(row.replace("one", "two"))[0], FOREVER)


def test_a_phase_stops_when_its_time_is_up(bundle, laid_out, capsys):
    args, songs = laid_out("band,guitar.wav,one,guitar,guitar,train\n")
    with pytest.raises(SystemExit) as end:
        bundle.lay_out(args, 0.0)
    assert end.value.code == bundle.STOPPED and not songs.exists()
    assert "run the same command again" in capsys.readouterr().err


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
def test_bad_input_is_one_line_and_two(bundle, laid_out, capsys, rows, message):
    args, songs = laid_out(rows)
    flags = ["--packages", args.packages, "--out", args.out, "--table", args.table]
    with pytest.raises(SystemExit) as end:
        bundle.main(["recordings", *map(str, flags)])
    assert end.value.code == 2
    assert not list(songs.glob("*/one"))  # nothing half-written
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ") and message in line


def test_the_committed_table_is_whole_and_openly_licensed(bundle):
    table = SCRIPT.with_name("splits") / "recordings.csv"
    rows = bundle.read_table(table)
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    for row in rows:
        assert not row["category"] or category_of(row["category"]) >= 0
    with table.open(newline="", encoding="utf-8") as file:
        plain = list(csv.DictReader(file))
    assert all(row["authors"] for row in plain)
    assert {row["licence"] for row in plain} == {
        *("BSD-2-Clause", "BSD-like", "CC-BY-3.0", "CC-BY-4.0", "CC0-1.0", "MIT"),
        "public domain",
    }


def test_every_phase_is_a_command_of_this_repository(bundle, tmp_path):
    """Each line parses with the arguments of the command that it names."""
    import tyro

    from stemjax.cli.train.arguments import ExportCommand, TokensCommand
    from stemjax.cli.train.main import parse

    config = (tyro.conf.EnumChoicesFromValues,)
    out = tmp_path / "a folder"
    (out / "recordings" / "prepared").mkdir(parents=True)
    for phase in bundle.Phase:
        for line in bundle.commands(bundle.BundleArgs(phase=phase, out=out)):
            match shlex.split(line):
                case "-m", "data.prepare", *flags:
                    assert tyro.cli(PrepareArgs, args=flags, config=config)
                case "-m", "data.render", *flags:
                    args = tyro.cli(RenderArgs, args=flags)
                    args.check()
                    assert (args.versions, args.composed) == (3, 200)
                case script, "tokens", *flags:
                    assert tyro.cli(TokensCommand, args=flags).draws == 4
                case script, "export", *flags:
                    assert tyro.cli(ExportCommand, args=flags, config=config)
                case script, preset, *flags:
                    assert script == str(ROOT / "train.py") and preset in PRESETS
                    run = parse([preset, *flags], "train.py").run
                    if preset == "codec-mini":
                        folders = f"{out}/prepared=2,{out}/recordings/prepared=1"
                        assert run.data == folders


@pytest.mark.slow
@pytest.mark.entry
def test_phases_render_and_prepare_and_stop_in_time(bundle, tmp_path, capfd):
    out = tmp_path / "set"
    flags = ["--songs", "2", "--seconds", "8", "--workers", "1", "--min-notes", "2"]
    with pytest.raises(SystemExit) as end:
        bundle.main(["render", "--out", str(out), "--minutes", "0.001", "--", *flags])
    assert end.value.code == bundle.STOPPED
    bundle.main(["render", "--out", str(out), "--", *flags, "--versions", "1"])
    bundle.main(["prepare", "--out", str(out), "--", "--workers", "1"])
    assert "train: 1 songs" in capfd.readouterr().out
    assert (out / "prepared" / "manifest.json").is_file()

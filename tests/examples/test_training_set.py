"""`python -m examples.bundle.training_set`: which songs, in which versions; made, resumed, refused."""

import collections
import dataclasses
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import yaml

from examples.bundle.training_set.__main__ import TrainingSetArgs, make
from examples.bundle.training_set.songs import composed_jobs, measure, midi_jobs
from examples.bundle.training_set.summary import RENDERED, lines_of, summarise
from stemjax.config.categories import CATEGORIES, VOICE, category_of_program
from stemjax.data.layouts.song import split_by_hash
from stemjax.data.prepared.manifest import MANIFEST, read_manifest
from stemjax.data.render.compose import compose, split_of
from stemjax.data.render.events import Event, Kind, stems_of
from stemjax.data.render.jobs import Limits, SynthChoice, read_score
from stemjax.data.render.levels import level_stems, loudness_lufs
from stemjax.data.render.midi import midi_bytes
from stemjax.data.render.numpy_synth import NumpySynth
from stemjax.data.render.treat import treat
from stemjax.data.render.vary import AS_WRITTEN
from stemjax.io.errors import UserError

RATE = 32_000
ROOT = pathlib.Path(__file__).resolve().parents[2]
Usage = collections.namedtuple("Usage", ("total", "used", "free"))
FONTS = [SynthChoice(pathlib.Path(name)) for name in ("a.sf2", "b.sf3")]
TABLE = "file,title,composer,split\na.mid,A,X,train\nb.mid,B,X,test\nd.mid,,,omit\n"


@pytest.fixture
def midi(tmp_path):
    """Three songs of two parts and one to leave out; s.mid has no row in the table."""
    folder = tmp_path / "midi"
    folder.mkdir()
    events = [Event(0.0, Kind.PROGRAM, 0, 33), Event(0.0, Kind.PROGRAM, 1, 80)]
    for i in range(12):
        for channel, note in ((0, 40 + i % 5), (1, 64 + i % 7)):
            events.append(Event(i / 4, Kind.ON, channel, note, 100))
            events.append(Event(i / 4 + 0.2, Kind.OFF, channel, note))
    for number, name in enumerate(("a", "b", "d", "s")):
        shifted = [e._replace(seconds=e.seconds * (1 + number / 8)) for e in events]
        (folder / f"{name}.mid").write_bytes(midi_bytes(shifted))
    (tmp_path / "splits.csv").write_text(TABLE)
    return folder


@pytest.fixture
def numpy_synth(monkeypatch):
    """The synth that always works, in place of whatever is installed."""
    monkeypatch.setattr(
        "examples.bundle.training_set.__main__.choose_synth",
        lambda sf2: SynthChoice(None),
    )


def args_of(midi: pathlib.Path, out: str = "out", **changes) -> TrainingSetArgs:
    values = {"midi": midi, "splits": midi.parent / "splits.csv", "workers": 1}
    values |= {"composed": 1, "composed_seconds": 8.0, "out": midi.parent / out}
    return TrainingSetArgs(**(values | changes))


# --- which songs


def test_train_songs_come_in_versions_and_the_others_once(midi):
    jobs = midi_jobs(midi, midi.parent / "splits.csv", 3, 0, FONTS)
    hashed = split_by_hash("s")  # by its name, as the layouts do
    found = [(j.source.track, j.source.about["split"]) for j in jobs]
    wanted = [("Track00001", "train"), ("Track10001", "train"), ("Track20001", "train")]
    wanted += [("Track00002", "test"), ("Track00004", "validation")]
    assert found == wanted and hashed == "validation"
    assert {j.source.about["title"] for j in jobs} == {"A", "B", "s"}


def test_version_0_is_as_written_and_the_others_differ(midi):
    jobs = midi_jobs(midi, midi.parent / "splits.csv", 3, 0, FONTS)[:3]
    plain, one, two = [job.source.variation for job in jobs]
    assert plain == AS_WRITTEN
    assert len({plain, one, two}) == 3
    fonts = [job.choice for job in jobs]
    assert fonts[0] == fonts[2] != fonts[1]  # round the two of them
    others = midi_jobs(midi, midi.parent / "splits.csv", 3, 1, FONTS)[:3]
    assert [job.source.variation for job in others[1:]] != [one, two]


def test_composed_songs_keep_the_composers_splits_keys_and_tempi():
    jobs = composed_jobs(20, 30.0, 5, FONTS)
    assert jobs[0].source.track == "Track90001"
    assert {job.choice for job in jobs} == set(FONTS)
    for index, job in enumerate(jobs):
        assert job.source.origin == (5, index, 30.0)
        assert job.source.variation == AS_WRITTEN
        assert job.source.version.number == (split_of(index) == "train")


def test_the_first_50_composed_songs_train_all_17_categories():
    """At least three parts each among 40 songs; the summary warns where one is missing."""
    assert len(RENDERED) == 17 and VOICE not in RENDERED
    jobs = composed_jobs(50, 60.0, 0, FONTS)
    train = [job.source.origin for job in jobs if job.source.version.number]
    assert len(train) == 40
    counts = dict.fromkeys(RENDERED, 0)
    for recipe in train:
        for stem in stems_of(compose(*recipe).events, 8):
            counts[category_of_program(stem)] += 1
    assert min(counts.values()) >= 3, counts


def test_the_estimate_counts_stems_of_songs_not_there(midi, tmp_path):
    jobs = midi_jobs(midi, midi.parent / "splits.csv", 2, 0, FONTS)
    limits = Limits(4.0, 8)  # all are longer: 4 s of two stems each
    amount = measure(jobs, tmp_path, limits)
    assert amount == (pytest.approx(len(jobs) * 2 * 4.0), 0.0)
    stems = tmp_path / "Track00001" / "stems"
    stems.mkdir(parents=True)
    soundfile.write(stems / "S00.flac", np.zeros(48_000), 32_000)
    amount = measure(jobs, tmp_path, limits)
    assert amount == (pytest.approx((len(jobs) - 1) * 2 * 4.0), 1.5)


# --- the whole command


def test_songs_are_rendered_prepared_and_resumed_to_the_same_bytes(midi, numpy_synth):
    args = args_of(midi)
    reports, outcome = make(args)
    assert [report.problem for report in reports] == [None] * 5
    songs = args.out / "songs"
    names = sorted(folder.name for folder in songs.iterdir())
    assert names == [
        "Track00001",
        "Track00002",
        "Track00004",
        "Track10001",
        "Track90001",
    ]
    metas = {}
    for name in names:
        metas[name] = meta = yaml.safe_load(
            (songs / name / "metadata.yaml").read_text()
        )
        stems = [
            soundfile.read(p, dtype="int16")[0] for p in songs.glob(f"{name}/stems/*")
        ]
        mix = soundfile.read(songs / name / "mix.flac", dtype="int16")[0]
        np.testing.assert_array_equal(np.sum(stems, axis=0, dtype=np.int64), mix)
        assert len(stems) == len(meta["stems"])
    plain, varied = metas["Track00001"], metas["Track10001"]
    assert (plain["version"], plain["treatment"]) == (0, None)
    assert varied["version"] == 1 and set(varied["treatment"]["stems"]) == {33, 80}
    assert plain["UUID"] != varied["UUID"] and plain["title"] == varied["title"]
    assert metas["Track90001"]["version"] == 1  # song 0 of the composer is in train
    splits = {song["id"]: song["split"] for song in outcome.manifest["songs"]}
    assert splits == {name: meta["split"] for name, meta in metas.items()}

    again, same = make(args)
    assert all(report.is_resumed for report in again) and same.made == 0

    # Cut short: one song missing, another half written, nothing prepared.
    other = args_of(midi, out="other")
    other.out.mkdir()
    os.rename(songs, other.out / "songs")
    gone = other.out / "songs" / "Track10001"
    os.rename(gone, gone.with_name(".Track10001.part"))
    reports, resumed = make(other)
    assert [r.track for r in reports if not r.is_resumed] == ["Track10001"]
    assert resumed.manifest == outcome.manifest  # with the hashes of all shards


def test_treated_stems_lie_apart_as_metadata_says(midi, numpy_synth):
    """Equaliser and room, then one loudness, then the drawn levels; checked by ear's
    measure (LUFS) and sample by sample."""
    args = args_of(midi, composed=0)
    make(args)
    folder = args.out / "songs" / "Track10001"
    meta = yaml.safe_load((folder / "metadata.yaml").read_text())
    found = {
        entry["program_num"]: soundfile.read(
            folder / "stems" / f"{name}.flac", dtype="int16"
        )[0]
        for name, entry in meta["stems"].items()
    }
    strips = meta["treatment"]["stems"]
    apart = loudness_lufs(found[33] / 32768, RATE) - loudness_lufs(
        found[80] / 32768, RATE
    )
    wanted = strips[33]["gain_db"] - strips[80]["gain_db"]
    assert apart == pytest.approx(wanted, abs=0.02)  # int16
    source = midi_jobs(midi, args.splits, 2, args.seed, FONTS)[1].source
    score = read_score(source, Limits(args.max_seconds, 8))
    synth = NumpySynth(RATE)
    raw = {stem: synth.render(score.events, score.seconds, stem) for stem in (33, 80)}
    levelled = level_stems(
        treat(raw, score.treatment, RATE), RATE, score.treatment.gains_db()
    )
    for stem, audio in levelled.stems.items():
        np.testing.assert_array_equal(found[stem], audio)


def test_the_summary_counts_hours_and_sounding_minutes(midi, numpy_synth):
    args = args_of(midi, composed=0)
    make(args)
    summary = summarise(args.out / "prepared")
    manifest = read_manifest(args.out / "prepared")
    assert summary.songs == {"train": 2, "validation": 1, "test": 1}
    seconds = manifest["splits"]["train"]["seconds"]  # to 0.001 s
    assert summary.hours["train"] == pytest.approx(seconds / 3600, rel=1e-3)
    assert summary.stem_hours["train"] == pytest.approx(2 * seconds / 3600, rel=1e-3)
    assert set(summary.train) == {
        CATEGORIES.index("bass"),
        CATEGORIES.index("synth-lead"),
    }
    bass = summary.train[CATEGORIES.index("bass")]
    assert (bass.songs, bass.minutes) == (2, pytest.approx(seconds / 60, rel=1e-3))
    # 12 notes in 3 s, twice, at most 10 % slower, then silence but for decays
    assert 0.06 < bass.sounding < 0.15 < bass.minutes
    assert len(summary.missing) == 15 and "reed" in summary.missing
    text = list(lines_of(summary))
    assert f"x 4 = {4 * seconds / 3600:.1f} h" in text[-2]
    assert text[-1].startswith("warning: training has no piano")


def test_songs_of_another_set_are_not_mixed_in(midi, numpy_synth):
    make(args_of(midi))
    with pytest.raises(UserError, match=r"holds 1 songs of another set \(Track90001"):
        make(args_of(midi, composed=0))


def test_a_disk_that_is_too_small_is_refused_at_once(midi, numpy_synth, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**9, 10**9, 10**6))
    with pytest.raises(UserError, match="0.0 GB free, this needs .* or add --flac"):
        make(args_of(midi))
    assert not (midi.parent / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions": 0}, "--versions must be 1 to 9"),
        ({"composed": 10_000}, "--composed must be 0 to 9999"),
        ({"workers": 0}, "--workers"),
        ({"seed": -1}, "--seed"),
        ({"midi": None, "composed": 0}, "give --midi or --composed"),
        ({"midi": None}, "--splits is a table of MIDI songs"),
        ({"sf2": (pathlib.Path("x/a.sf2"), pathlib.Path("a.sf2"))}, "same file name"),
    ],
)
def test_flags_that_make_no_sense_are_named(midi, change, words):
    with pytest.raises(UserError, match=words):
        make(dataclasses.replace(args_of(midi), **change))


def test_an_unknown_split_is_named_before_any_work(midi, numpy_synth):
    (midi.parent / "splits.csv").write_text("file,split\na.mid,trian\n")
    with pytest.raises(UserError, match="split 'trian' must be one of"):
        make(args_of(midi))


@pytest.mark.entry
def test_the_command_in_a_shell(midi):
    flags = ["--midi", midi, "--composed", "0", "--workers", "1", "--out", "set"]

    def command(*more) -> subprocess.CompletedProcess:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "examples.bundle.training_set",
                *map(str, flags),
                *more,
            ],
            cwd=midi.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    bad = command("--sf2", "a.sf2", "--sf2", "none/b.sf2")
    assert bad.returncode == 2 and "Traceback" not in bad.stderr
    assert "error: soundfont a.sf2 does not exist: check --sf2" in bad.stderr
    good = command("--splits", "splits.csv")
    assert good.returncode == 0, good.stderr
    assert "needs at most about" in good.stdout.splitlines()[1]
    assert "train: 2 songs" in good.stdout
    assert "4 songs rendered now, 0 skipped" in good.stdout.splitlines()[-1]
    assert (midi.parent / "set" / "prepared" / MANIFEST).is_file()

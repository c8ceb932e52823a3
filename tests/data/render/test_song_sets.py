"""Sets of versions: their songs, rendering, resuming, refusals; the prepared totals."""

import collections
import dataclasses
import os
import pathlib

import numpy as np
import pytest
import soundfile
import yaml

from stemjax.config.categories import CATEGORIES, VOICE, category_of_program
from stemjax.data.layouts.song import split_by_hash
from stemjax.data.prepare import PrepareArgs, prepare
from stemjax.data.prepared.manifest import read_manifest
from stemjax.data.prepared.summary import lines_of, summarise
from stemjax.data.render.__main__ import run
from stemjax.data.render.arguments import RenderArgs
from stemjax.data.render.composer.compose import compose, split_of
from stemjax.data.render.estimate import measure
from stemjax.data.render.events import Event, Kind, stems_of
from stemjax.data.render.jobs import Limits, SynthChoice, read_score
from stemjax.data.render.levels import level_stems, loudness_lufs
from stemjax.data.render.midi import midi_bytes
from stemjax.data.render.numpy_synth import NumpySynth
from stemjax.data.render.sources import list_jobs
from stemjax.data.render.treat import treat
from stemjax.data.render.vary import AS_WRITTEN
from stemjax.io.errors import UserError

RATE = 32_000
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
    """The NumPy synth in place of installed soundfonts."""
    monkeypatch.setattr(
        "stemjax.data.render.sources.choose_synth", lambda sf2: SynthChoice(None)
    )


@pytest.fixture
def fonts(monkeypatch):
    """Two soundfonts that need not exist."""
    monkeypatch.setattr("stemjax.data.render.sources.choose_synth", SynthChoice)


def args_of(midi: pathlib.Path, out: str = "out", **changes) -> RenderArgs:
    values = {"midi": midi, "splits": midi.parent / "splits.csv", "workers": 1}
    values |= {"songs": 1, "seconds": 8.0, "out": midi.parent / out / "songs"}
    return RenderArgs(**(values | {"versions": 2, "max_seconds": 120.0} | changes))


def make(args: RenderArgs):
    """Rendered and prepared: reports, and the result of preparing."""
    reports = run(args)
    out = args.out.parent / "prepared"
    return reports, prepare(PrepareArgs(input=args.out, out=out, workers=1))


def jobs_of(midi: pathlib.Path, versions: int, seed: int = 0) -> list:
    """Jobs of the MIDI songs alone, with two soundfonts."""
    sf2 = tuple(font.soundfont for font in FONTS)
    args = args_of(midi, versions=versions, seed=seed, sf2=sf2, songs=0)
    return list_jobs(args).jobs


# --- which songs


def test_train_songs_come_in_versions_and_the_others_once(midi, fonts):
    jobs = jobs_of(midi, 3)
    hashed = split_by_hash("s")  # by its name, as the layouts do
    found = [(j.song.track, j.song.about["split"]) for j in jobs]
    wanted = [("Track00001", "train"), ("Track10001", "train"), ("Track20001", "train")]
    wanted += [("Track00002", "test"), ("Track00004", "validation")]
    assert found == wanted and hashed == "validation"
    assert {j.song.about["title"] for j in jobs} == {"A", "B", "s"}


def test_version_0_is_as_written_and_the_others_differ(midi, fonts):
    jobs = jobs_of(midi, 3)[:3]
    plain, one, two = [job.song.variation for job in jobs]
    assert plain == AS_WRITTEN
    assert len({plain, one, two}) == 3
    fonts = [job.synth for job in jobs]
    assert fonts[0] == fonts[2] != fonts[1]  # round the two of them
    others = jobs_of(midi, 3, seed=1)[:3]
    assert [job.song.variation for job in others[1:]] != [one, two]


def composed_jobs(songs: int, seconds: float, seed: int) -> list:
    """Jobs of composed songs alone, with two soundfonts."""
    sf2 = tuple(font.soundfont for font in FONTS)
    settings = {"versions": 2, "songs": songs, "seconds": seconds, "seed": seed}
    return list_jobs(RenderArgs(out=pathlib.Path("none"), sf2=sf2, **settings)).jobs


def test_composed_songs_keep_the_composers_splits_keys_and_tempi(fonts):
    jobs = composed_jobs(20, 30.0, 5)
    assert jobs[0].song.track == "Track90001"
    assert {job.synth for job in jobs} == set(FONTS)
    for index, job in enumerate(jobs):
        assert job.song.origin == (5, index, 30.0)
        assert job.song.variation == AS_WRITTEN
        assert job.song.version.number == (split_of(index) == "train")


@pytest.mark.slow
def test_the_first_50_composed_songs_train_all_17_categories(fonts):
    """At least three parts each among 40 songs."""
    rendered = [c for c in range(len(CATEGORIES)) if c != VOICE]
    assert len(rendered) == 17
    jobs = composed_jobs(50, 60.0, 0)
    train = [job.song.origin for job in jobs if job.song.version.number]
    assert len(train) == 40
    counts = dict.fromkeys(rendered, 0)
    for recipe in train:
        for stem in stems_of(compose(*recipe).events, 8):
            counts[category_of_program(stem)] += 1
    assert min(counts.values()) >= 3, counts


def test_the_estimate_counts_stems_of_songs_not_there(midi, tmp_path, fonts):
    jobs = jobs_of(midi, 2)
    limits = Limits(4.0, 8)  # all are longer: 4 s of two stems each
    amount = measure(jobs, tmp_path, limits)
    assert amount == (pytest.approx(len(jobs) * 2 * 4.0), 0.0)
    stems = tmp_path / "Track00001" / "stems"
    stems.mkdir(parents=True)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000)
    soundfile.write(stems / "S00.flac", noise, 32_000)
    amount = measure(jobs, tmp_path, limits)
    assert amount == (pytest.approx((len(jobs) - 1) * 2 * 4.0), 1.5)


# --- the whole command


def test_songs_are_rendered_prepared_and_resumed_to_the_same_bytes(midi, numpy_synth):
    args = args_of(midi)
    reports, outcome = make(args)
    assert [report.problem for report in reports] == [None] * 5
    songs = args.out
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
    other.out.parent.mkdir()
    os.rename(songs, other.out)
    gone = other.out / "Track10001"
    os.rename(gone, gone.with_name(".Track10001.part"))
    reports, resumed = make(other)
    assert [r.track for r in reports if not r.is_resumed] == ["Track10001"]
    assert resumed.manifest == outcome.manifest  # with the hashes of all shards


def test_treated_stems_lie_apart_as_metadata_says(midi, numpy_synth):
    """Equaliser and room, then one loudness, then the drawn levels; checked by ear's
    measure (LUFS) and sample by sample."""
    args = args_of(midi, songs=0)
    make(args)
    folder = args.out / "Track10001"
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
    source = list_jobs(args).jobs[1].song
    score = read_score(source, Limits(args.max_seconds, 8))
    synth = NumpySynth(RATE)
    raw = {stem: synth.render(score.events, score.seconds, stem) for stem in (33, 80)}
    levelled = level_stems(
        treat(raw, score.treatment, RATE), RATE, score.treatment.gains_db()
    )
    for stem, audio in levelled.stems.items():
        np.testing.assert_array_equal(found[stem], audio)


def test_the_summary_counts_hours_and_sounding_minutes(midi, numpy_synth):
    args = args_of(midi, songs=0)
    make(args)
    summary = summarise(args.out.parent / "prepared")
    manifest = read_manifest(args.out.parent / "prepared")
    songs = {split: counts["songs"] for split, counts in summary.splits.items()}
    assert songs == {"train": 2, "validation": 1, "test": 1}
    seconds = manifest["splits"]["train"]["seconds"]  # to 0.001 s
    assert summary.stem_hours["train"] == pytest.approx(2 * seconds / 3600, rel=1e-3)
    assert set(summary.train) == {
        CATEGORIES.index("bass"),
        CATEGORIES.index("synth-lead"),
    }
    bass = summary.train[CATEGORIES.index("bass")]
    assert (bass.songs, bass.minutes) == (2, pytest.approx(seconds / 60, rel=1e-3))
    # 12 notes in 3 s, twice, at most 10 % slower, then silence but for decays
    assert 0.06 < bass.audible < 0.15 < bass.minutes
    assert len(summary.missing) == 15 and "reed" in summary.missing
    *_, bass, lead, last = lines_of(summary)
    assert bass.split()[:3] == ["bass", "2", "songs"] and "synth-lead" in lead
    assert last.startswith("no training stem of piano")


def test_songs_of_another_set_are_not_mixed_in(midi, numpy_synth):
    make(args_of(midi))
    with pytest.raises(UserError, match=r"holds 1 songs of another set \(Track90001"):
        make(args_of(midi, songs=0))


def test_a_disk_that_is_too_small_is_refused_at_once(midi, numpy_synth, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**9, 10**9, 10**6))
    with pytest.raises(UserError, match="1.0 MB free, rendering needs .* or shorter"):
        run(args_of(midi))
    assert not (midi.parent / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions": 0}, "versions 0: give a whole number from 1 to 9"),
        ({"songs": 10_000}, "--songs must be 0 to 9999"),
        ({"workers": 0}, "workers 0: give"),
        ({"seed": -1}, "seed -1: give"),
        ({"midi": None, "songs": 0}, "--songs must be 1 to 9999"),
        ({"tempo": 1.1}, "draws keys and tempi"),
        ({"midi": None}, "--splits is a table of MIDI songs"),
        ({"sf2": (pathlib.Path("x/a.sf2"), pathlib.Path("a.sf2"))}, "same file name"),
    ],
)
def test_flags_that_make_no_sense_are_named(midi, change, words):
    with pytest.raises(ValueError, match=words):
        run(dataclasses.replace(args_of(midi), **change))


def test_an_unknown_split_is_named_before_any_work(midi, numpy_synth):
    (midi.parent / "splits.csv").write_text("file,split\na.mid,trian\n")
    with pytest.raises(UserError, match="split 'trian' must be one of"):
        make(args_of(midi))

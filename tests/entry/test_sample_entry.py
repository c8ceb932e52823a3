"""sample.py on a tiny model with random weights."""

import json
import pathlib

import numpy as np
import pytest
import soundfile

from stemjax import codec
from stemjax.config.categories import CATEGORIES
from stemjax.config.presets import CODEC_TINY
from tests.entry.random_release import refused, sample, sample_here

pytestmark = pytest.mark.entry


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """3.21 s of stereo at 44.1 kHz: longer than the model's 2 s, and off the grid."""
    path = tmp_path_factory.mktemp("audio") / "my loop.wav"
    time = np.arange(141_561) / 44_100
    left = 0.3 * np.sin(2 * np.pi * 220 * time) * (time % 0.5 < 0.2)
    soundfile.write(path, np.stack([left, 0.5 * left], axis=1), 44_100)
    return path


@pytest.mark.slow
def test_a_stem_a_mix_a_report_and_a_picture(release, loop, tmp_path):
    common = ("--checkpoint", release, "--context", loop, "--instrument", "Bass")
    first = sample(*common, "--out", tmp_path / "a", "--show-decoding")
    assert first.returncode == 0, first.stderr
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "mix.wav",
        "sample.json",
        "sample.png",
        "stem.wav",
        "tokens.npz",
    ]
    stem, rate = soundfile.read(tmp_path / "a" / "stem.wav", dtype="float32")
    mix, _ = soundfile.read(tmp_path / "a" / "mix.wav", dtype="float32")
    assert rate == 32_000
    assert len(stem) == len(mix) == round(141_561 * 32_000 / 44_100)
    assert soundfile.info(tmp_path / "a" / "stem.wav").subtype == "FLOAT"
    report = json.loads((tmp_path / "a" / "sample.json").read_text())
    assert report["settings"]["instrument"] == "bass"
    assert report["settings"]["steps"] == [4, 2]
    assert report["checkpoint"]["name"] == "random-tiny"
    assert report["context"]["file"] == "my loop.wav"
    assert str(tmp_path) not in json.dumps(report)  # no paths of a machine
    assert np.abs(mix).max() <= 1.0 and report["gain"] <= 1.0

    # the process and this one give the same bytes
    again = sample_here(*common, "--out", tmp_path / "b")
    other = sample_here(*common, "--out", tmp_path / "c", "--seed", 1)
    assert again.returncode == other.returncode == 0
    wav = [(tmp_path / d / "stem.wav").read_bytes() for d in "abc"]
    assert wav[0] == wav[1] != wav[2]


@pytest.mark.slow
def test_variations_depend_on_seed_and_number_alone(release, loop, tmp_path):
    common = ("--checkpoint", release, "--context", loop, "--instrument", "drums")
    for count in (2, 3):
        run = sample_here(
            *common, "--variations", count, "--out", tmp_path / str(count), "--seed", 5
        )
        assert run.returncode == 0, run.stderr
    two, three = tmp_path / "2", tmp_path / "3"
    for name in ("stem_01.wav", "stem_02.wav"):
        assert (two / name).read_bytes() == (three / name).read_bytes()
    stems = {(three / f"stem_{k:02d}.wav").read_bytes() for k in (1, 2, 3)}
    assert len(stems) == 3
    assert len(json.loads((three / "sample.json").read_text())["variations"]) == 3


def bad_files(folder: pathlib.Path) -> dict[str, tuple[pathlib.Path, str]]:
    """Bad contexts, and a word of the error message of each."""
    noise = np.random.default_rng(0).normal(size=64_000) * 0.1
    (folder / "notes.wav").write_text("no audio")
    soundfile.write(folder / "empty.wav", np.zeros(0), 32_000)
    soundfile.write(folder / "short.wav", noise[:20_000], 32_000)
    soundfile.write(folder / "silent.wav", np.zeros(64_000), 32_000)
    noise[100] = np.nan
    soundfile.write(folder / "nan.wav", noise, 32_000, subtype="FLOAT")
    words = {
        "gone": "no such file",
        "notes": "not an audio file",
        "empty": "no samples",
        "short": "shorter than 1 s",
        "silent": "silent",
        "nan": "NaN",
    }
    return {name: (folder / f"{name}.wav", word) for name, word in words.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gone", "notes", "empty", "short", "silent", "nan"])
def test_bad_audio_is_refused_in_one_line(release, tmp_path, name):
    path, word = bad_files(tmp_path)[name]
    command = ("--checkpoint", release, "--context", path, "--instrument", "bass")
    message = refused(*command, out=tmp_path / "out")
    assert word in message and path.name in message


@pytest.mark.slow
def test_a_silent_context_can_be_allowed(release, tmp_path):
    path, _ = bad_files(tmp_path)["silent"]
    run = sample_here(
        *("--checkpoint", release, "--context", path, "--instrument", "bass"),
        *("--out", tmp_path / "out", "--allow-silent-context"),
    )
    assert run.returncode == 0, run.stderr
    assert len(soundfile.read(tmp_path / "out" / "stem.wav")[0]) == 64_000


@pytest.mark.slow
def test_other_bad_input(release, loop, tmp_path):
    def message(*args, checkpoint=release):
        command = ("--checkpoint", checkpoint, "--context", loop, *args)
        return refused(*command, out=tmp_path / "out")

    unknown = message("--instrument", "kazoo")
    assert all(name in unknown for name in CATEGORIES)
    assert "preset" in message("--preset", "loudest")
    assert "guidance sources" in message("--scales", 1.0, 2.0, 3.0)
    assert "neither a folder" in message(checkpoint="no-such-model")
    assert "two passes" in message("--loop", "--show-decoding")
    assert "--variations 0: give a whole number from 1 to 999" in message(
        "--variations", 0
    )

    stranger = codec.random(CODEC_TINY.model, 1)
    stranger.save(tmp_path / "stranger")
    assert "codec" in message("--codec", tmp_path / "stranger")

    config = json.loads((release / "config.json").read_text())
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "config.json").write_text(json.dumps(config | {"format": 7}))
    assert "format 7" in message(checkpoint=odd)

"""Files of the commands on a tiny model with random weights."""

import json

import numpy as np
import pytest
import soundfile

from stemjax.session import picture
from tests.entry.random_release import sample_here

pytestmark = pytest.mark.entry


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "context.wav"
    time = np.arange(64_000) / 32_000
    audio = 0.3 * np.sin(2 * np.pi * 220 * time) * (time % 0.5 < 0.2)
    soundfile.write(path, audio, 32_000, subtype="FLOAT")
    return path


def test_a_failing_picture_is_a_warning(release, context, tmp_path, monkeypatch):
    """Audio, tokens and report are complete when the pictures are drawn."""
    present = []

    def broken(path, *_, **__):
        present.append(sorted(p.name for p in path.parent.iterdir()))
        raise RuntimeError("no font\nfound")

    monkeypatch.setattr(picture, "save_spectrograms", broken)
    common = ("--checkpoint", release, "--context", context)
    made = tmp_path / "made"
    stem = ("--stem", made / "stem.wav", "--instrument", "bass", "--from", 1)
    for args, out, files in (
        ((*common, "--instrument", "bass"), made, "mix.wav sample.json stem.wav"),
        (
            ("layer", *common, "--instruments", "bass", "--bpm", 120),
            tmp_path / "song",
            "context.wav layer_01.npz layer_01.wav mix.wav session.json",
        ),
        (("edit", *common, *stem), tmp_path / "edited", "edit.json mix.wav stem.wav"),
    ):
        run = sample_here(*args, "--out", out)
        assert run.returncode == 0, run.stderr
        assert f"warning: {out}" in run.stderr
        assert "(RuntimeError: no font found)" in run.stderr
        assert set(files.split()) <= set(present[-1])
        assert not list(out.glob("*.png"))
    report = json.loads((made / "sample.json").read_text())
    assert report["timings"]["total"] > 0 and report["samples"] == 64_000


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ((), ("--instrument", "bass")),
        (("layer",), ("--instruments", "bass")),
        (("edit",), ("--instrument", "bass", "--from", 1)),
    ],
)
def test_a_format_that_cannot_hold_the_context_is_refused_before_decoding(
    release, tmp_path, command, more
):
    path = tmp_path / "six.wav"
    audio = 0.1 * np.random.default_rng(0).normal(size=(64_000, 6))
    soundfile.write(path, audio, 32_000, subtype="PCM_16")
    if command == ("edit",):
        more = (*more, "--stem", path)
    out = tmp_path / "out"
    common = ("--checkpoint", release, "--context", path, "--out", out)
    run = sample_here(*command, *common, *more, "--format", "mp3")
    assert run.returncode == 2
    assert run.stderr.startswith("error: --format, six.wav: mp3 cannot hold 6 channels")
    assert run.stderr.count("\n") == 1 and not out.exists()

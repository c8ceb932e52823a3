"""Long contexts: windows continue each other, memory stays bounded, and there is one
progress bar."""

import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tests.entry.random_release import ROOT, sample_here

pytestmark = pytest.mark.entry
RATE = 32_000
MEASURED = """
import resource, sys
from stemjax.cli.sample import main as sample
sample.main(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def piece(path, seconds):
    """Write notes every half second, with changing pitches."""
    time = np.arange(seconds * RATE) / RATE
    pitch = 220 * 2 ** (np.floor(2 * time) * 7 % 24 / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    soundfile.write(path, 0.3 * np.sin(phase) * np.exp(-4 * (time % 0.5)), RATE)
    return path


def peak_megabytes(release, context, out):
    """Peak memory of sample.py, MB; ru_maxrss is in kilobytes on Linux."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, "--checkpoint", str(release)]
        + ["--context", str(context), "--preset", "naive", "--steps", "2", "1"]
        + ["--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return int(re.search(r"peak (\d+)", run.stdout)[1]) / 1000


@pytest.mark.slow
def test_memory_grows_with_the_audio_alone(release, tmp_path):
    """Three minutes more: a copy of them in float32 is 23 MB.  What is held in copies
    (recording, context, stem, tracks, spectrograms) is some twenty of them; attention
    over all 10,000 frames at once would be gigabytes."""
    short, long = (
        peak_megabytes(release, piece(tmp_path / f"{s}.wav", s), tmp_path / str(s))
        for s in (20, 200)
    )
    copies = 4 * RATE * 180 / 1e6
    assert long - short < 20 * copies


@pytest.mark.slow
def test_windows_continue_each_other(release, tmp_path):
    """The first window has the tokens of a shorter context; the audio is decoded from all
    tokens at once; a second run gives the same bytes."""
    whole = piece(tmp_path / "whole.wav", 7)
    audio, _ = soundfile.read(whole)
    soundfile.write(tmp_path / "begin.wav", audio[: 2 * RATE], RATE)
    common = ("--checkpoint", release, "--instrument", "bass")
    for name in ("whole", "again", "begin"):
        source = tmp_path / f"{name.replace('again', 'whole')}.wav"
        run = sample_here(*common, "--context", source, "--out", tmp_path / name)
        assert run.returncode == 0, run.stderr
        if name == "whole":
            steps = re.findall(r"(\d+)/(\d+) \[", run.stderr)
            # 7 s in windows of 2 s that keep 1 s: 6 of them, of 6 steps each
            assert steps[-1] == ("36", "36") and {s[1] for s in steps} == {"36"}
    files = {n: (tmp_path / n / "stem.wav").read_bytes() for n in ("whole", "again")}
    assert files["whole"] == files["again"]
    stem, _ = soundfile.read(tmp_path / "whole" / "stem.wav", dtype="float32")
    assert len(stem) == 7 * RATE

    import stemjax

    model = stemjax.load(release)
    tokens, first = (
        np.load(tmp_path / name / "tokens.npz")["tokens"] for name in ("whole", "begin")
    )
    # equal audio in the first two seconds, except where the codec looks past their end
    assert (tokens[:, :90] == first[:, :90]).mean() > 0.5
    played = model.codec.decode(tokens[None].astype(np.int32))[0, : len(stem)]
    np.testing.assert_array_equal(played, stem)

"""Audio of the bundled model: loudness, seams of loops and long pieces, edits, MIDI.
Preset fast."""

import json

import numpy as np
import pytest
import soundfile

from stemjax.analysis.loudness import integrated_lufs
from stemjax.io.release import PRETRAINED
from tests.entry.random_release import sample_here

pytestmark = [pytest.mark.entry, pytest.mark.slow]
EXAMPLE = PRETRAINED / "example" / "context.flac"
RATE = 32_000


def ran(*args):
    done = sample_here(*args, "--preset", "fast")
    assert done.returncode == 0, done.stderr
    return done


def read(path):
    return soundfile.read(path, dtype="float32")[0]


def levels(audio, seconds=0.5):
    """RMS level of each half second, dB, at least -60."""
    size = round(seconds * RATE)
    power = (audio[: len(audio) // size * size].reshape(-1, size) ** 2).mean(axis=1)
    return 10 * np.log10(np.maximum(power, 1e-6))


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """A session of two layers, with the example as a loop."""
    out = tmp_path_factory.mktemp("song")
    ran(
        *("layer", "--context", EXAMPLE, "--loop", "--bpm", 96, "--beats-per-bar", 4),
        *("--instruments", "bass,drums", "--midi", "--out", out),
    )
    return out


def test_layers_have_the_loudness_of_the_rule_and_sum_to_the_mix(song):
    session = json.loads((song / "session.json").read_text())
    assert session["loop"] and session["seconds"] == 10.0  # four bars at 96
    context = read(song / "context.wav")
    mix, gain = context.copy(), session["mix"]["gain"]
    for layer in session["layers"]:
        stem = read(song / layer["stem"])
        mix += stem
        if abs(layer["gain_db"]) < 12:
            apart = integrated_lufs(stem, RATE) - integrated_lufs(context, RATE)
            # a loudness meter's gate may open or close for a block
            assert apart == pytest.approx(-3.0, abs=0.1)
    np.testing.assert_allclose(mix, read(song / "mix.wav"), atol=1e-6)
    assert 0 < gain <= 1


def test_the_end_of_a_loop_continues_at_its_beginning(song):
    """No click: the step at the seam is not among the largest.  No gap: the half seconds
    at the seam are at most 6 dB quieter than the quietest other one."""
    for name in ("layer_01.wav", "layer_02.wav"):
        stem = read(song / name)
        steps = np.abs(np.diff(stem))
        seam = np.abs(np.diff(np.concatenate([stem[-3:], stem[:3]])))
        assert seam.max() <= np.quantile(steps, 0.9999)
        turned = levels(np.roll(stem, len(stem) // 2))
        inner, at_seam = (
            levels(stem),
            turned[len(turned) // 2 - 1 : len(turned) // 2 + 1],
        )
        assert at_seam.min() >= inner.min() - 6


def test_midi_holds_the_notes_of_a_bass_and_the_hits_of_drums(song):
    pretty_midi = pytest.importorskip("pretty_midi")
    bass, drums = (
        pretty_midi.PrettyMIDI(str(song / f"layer_{k:02d}.mid")).instruments[0]
        for k in (1, 2)
    )
    assert bass.program == 32 and not bass.is_drum and drums.is_drum
    assert len(bass.notes) >= 4 and len(drums.notes) >= 4
    assert {note.pitch for note in drums.notes} <= {36, 38, 42}
    # an electric bass plays E1 to about E4; octave errors of the transcriber one higher
    assert 28 <= np.median([note.pitch for note in bass.notes]) <= 64
    assert all(0 <= note.start < note.end <= 10.6 for note in bass.notes)


def test_a_long_piece_has_no_seam_in_level(tmp_path):
    """24 s are three windows of 10 s that keep 2; joins at 10 and 18 s."""
    audio, rate = soundfile.read(EXAMPLE)
    long = np.tile(audio, 3)[: 24 * rate]
    soundfile.write(tmp_path / "long.wav", long, rate)
    ran(
        *("--context", tmp_path / "long.wav", "--instrument", "bass"),
        *("--out", tmp_path / "out"),
    )
    stem = read(tmp_path / "out" / "stem.wav")
    assert len(stem) == 24 * RATE
    level = levels(stem)
    steps = np.abs(np.diff(level))
    joins = [2 * second - 1 for second in (10, 18)]  # from the half second before
    others = np.delete(steps, joins)
    assert steps[joins].max() <= np.quantile(others, 0.95) + 3
    samples = np.abs(np.diff(stem))
    for second in (10, 18):
        at = second * RATE
        assert samples[at - 3 : at + 3].max() <= np.quantile(samples, 0.9999)


def test_an_edit_keeps_the_coarse_levels_or_the_onsets(song, tmp_path):
    old = np.load(song / "layer_01.npz")["tokens"]
    stem = ("--stem", song / "layer_01.wav", "--tokens", song / "layer_01.npz")
    common = ("edit", "--context", EXAMPLE, *stem, "--instrument", "bass")
    ran(*common, "--keep-levels", 1, "--out", tmp_path / "fine")
    fine = np.load(tmp_path / "fine" / "tokens.npz")["tokens"]
    np.testing.assert_array_equal(fine[0], old[0])
    assert (fine[1:] != old[1:]).mean() > 0.5
    ran(*common, "--keep-onsets", "--from", 2, "--to", 8, "--out", tmp_path / "rhythm")
    rhythm = np.load(tmp_path / "rhythm" / "tokens.npz")["tokens"]
    np.testing.assert_array_equal(rhythm[:, :100], old[:, :100])
    np.testing.assert_array_equal(rhythm[:, 400:], old[:, 400:])
    report = json.loads((tmp_path / "rhythm" / "edit.json").read_text())
    assert 0.4 < report["kept_share"] < 0.9  # 4 of 10 s, and the onsets
    same = (rhythm[:, 100:400] == old[:, 100:400]).all(axis=0).mean()
    assert same >= (report["kept_share"] - 0.4) / 0.6 - 0.02

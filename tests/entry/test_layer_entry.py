"""sample.py layer, edit and batch on a tiny model with random weights."""

import json
from unittest import mock

import numpy as np
import pytest
import soundfile

from stemjax.io.errors import UserError
from stemjax.session import layering
from tests.entry.random_release import refused, sample_here

pytestmark = pytest.mark.entry
RATE = 32_000


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """2 s of stereo at 44.1 kHz with a beat every half second: a bar at 120."""
    path = tmp_path_factory.mktemp("audio") / "my loop.flac"
    time = np.arange(88_200) / 44_100
    left = 0.5 * np.sin(2 * np.pi * 220 * time) * np.exp(-8 * (time % 0.5))
    soundfile.write(path, np.stack([left, 0.2 * left], axis=1), 44_100)
    return path


def ran(*args):
    done = sample_here(*args)
    assert done.returncode == 0, done.stderr
    return done


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)


def summed(folder, session):
    names = [session["mix"]["context"], *(layer["stem"] for layer in session["layers"])]
    total = 0
    for name in names:
        total = total + read(folder / name)[0]
    return total


@pytest.mark.slow
def test_a_session_is_layered_continued_and_replaced(release, loop, tmp_path):
    out = tmp_path / "song"
    common = ("layer", "--checkpoint", release, "--context", loop, "--out", out)
    first = ran(*common, "--instruments", "bass", "--bpm", 120, "--key", "A major")
    assert "decoding: about" in first.stderr
    one = json.loads((out / "session.json").read_text())
    assert one["format"] == 1 and one["checkpoint"]["name"] == "random-tiny"
    assert one["context"]["file"] == "my loop.flac" and one["context"]["rate"] == 44_100
    assert one["music"]["bpm"] == 120 and one["music"]["key"] == "A:maj"
    assert str(tmp_path) not in json.dumps(one)
    bass = (out / "layer_01.npz").read_bytes()

    more = ran(*common, "--instruments", "bass,drums", "--variations", 2, "--seed", 4)
    assert "continuing after layer 1" in more.stdout
    assert "highest context gain" in more.stdout
    two = json.loads((out / "session.json").read_text())
    assert [layer["instrument"] for layer in two["layers"]] == ["bass", "drums"]
    assert two["layers"][0]["settings"] == one["layers"][0]["settings"]
    assert len(two["layers"][1]["scores"]["context_gain_over_none"]) == 2
    assert (out / "layer_01.npz").read_bytes() == bass
    mix, rate = read(out / "mix.wav")
    assert rate == RATE and mix.shape == (64_000, 2)  # mixed in stereo
    np.testing.assert_allclose(summed(out, two), mix, atol=1e-6)
    assert np.abs(mix).max() <= 1 + 1e-6
    assert (out / "session.png").read_bytes()[:4] == b"\x89PNG"

    files = {p.name: p.read_bytes() for p in out.iterdir()}
    drums = files["layer_02.npz"]
    # an error after the first of two layers leaves the session unchanged
    add, calls = layering.add_layer, []

    def stopped(*args, **more):
        calls.append(args)
        if len(calls) == 2:
            raise UserError("stopped")
        return add(*args, **more)

    with mock.patch.object(layering, "add_layer", stopped):
        done = sample_here(*common, "--replace", 1, "--seed", 7)
    assert done.returncode == 2 and len(calls) == 2
    assert {p.name: p.read_bytes() for p in out.iterdir()} == files
    ran(*common, "--replace", 1, "--seed", 7)
    three = json.loads((out / "session.json").read_text())
    assert three["layers"][0]["instrument"] == "bass"
    assert [layer["seed"] for layer in three["layers"]] == [7, 4]
    assert (out / "layer_01.npz").read_bytes() != bass
    assert (out / "layer_02.npz").read_bytes() != drums  # its context has another bass
    ran(*common, "--replace", 1, "--seed", 0)
    for name in ("layer_01.npz", "layer_02.npz", "mix.wav"):
        assert (out / name).read_bytes() == files[name], name


@pytest.mark.slow
def test_a_session_from_silence_and_in_the_contexts_format(release, loop, tmp_path):
    quiet = ran(
        *("layer", "--checkpoint", release, "--silence", 1.5, "--instruments", "drums"),
        *("--out", tmp_path / "quiet"),
    )
    assert "starting from silence" in quiet.stdout
    session = json.loads((tmp_path / "quiet" / "session.json").read_text())
    assert session["context"]["file"] is None and session["seconds"] == 1.5
    assert not read(tmp_path / "quiet" / "context.wav")[0].any()
    np.testing.assert_array_equal(
        read(tmp_path / "quiet" / "mix.wav")[0],
        read(tmp_path / "quiet" / "layer_01.wav")[0],
    )
    # a loop of one bar, in the format of the context
    ran(
        *("layer", "--checkpoint", release, "--context", loop, "--instruments", "bass"),
        *(
            "--loop",
            "--bpm",
            120,
            "--like-context",
            "--midi",
            "--out",
            tmp_path / "loop",
        ),
    )
    session = json.loads((tmp_path / "loop" / "session.json").read_text())
    assert session["loop"] and session["music"]["beats_per_bar"] == 4
    mix, rate = read(tmp_path / "loop" / "mix.flac")
    assert rate == 44_100 and mix.shape == (88_200, 2)
    # 24-bit steps: one of each track's rounding
    np.testing.assert_allclose(summed(tmp_path / "loop", session), mix, atol=2.0**-21)
    assert (tmp_path / "loop" / "layer_01.mid").read_bytes()[:4] == b"MThd"


@pytest.mark.slow
def test_part_of_a_stem_is_regenerated(release, loop, tmp_path):
    made = tmp_path / "made"
    ran(
        *("--checkpoint", release, "--context", loop, "--instrument", "bass"),
        *("--out", made),
    )
    common = (
        "edit",
        "--checkpoint",
        release,
        "--context",
        loop,
        "--instrument",
        "bass",
    )
    given = ("--stem", made / "stem.wav", "--tokens", made / "tokens.npz")
    part = ("--from", 0.5, "--to", 1.0)
    out = tmp_path / "part"
    ran(*common, *given, *part, "--seed", 3, "--out", out)
    old, new = (np.load(f / "tokens.npz")["tokens"] for f in (made, out))
    np.testing.assert_array_equal(old[:, :25], new[:, :25])
    np.testing.assert_array_equal(old[:, 50:], new[:, 50:])
    assert (old[:, 25:50] != new[:, 25:50]).mean() > 0.5
    before, after = (read(f / "stem.wav")[0][:, 0] for f in (made, out))
    assert len(after) == 64_000
    fade = 640
    np.testing.assert_array_equal(before[: 16_000 - fade], after[: 16_000 - fade])
    np.testing.assert_array_equal(before[32_000 + fade :], after[32_000 + fade :])
    assert (before[16_000:32_000] != after[16_000:32_000]).mean() > 0.9
    report = json.loads((out / "edit.json").read_text())
    assert report["change"]["from"] == 0.5 and report["change"]["to"] == 1.0
    assert report["kept_share"] == 0.75

    # without tokens: the stem is encoded, and the recording around the part stays
    ran(*common, "--stem", made / "stem.wav", *part, "--out", tmp_path / "alone")
    alone = read(tmp_path / "alone" / "stem.wav")[0][:, 0]
    np.testing.assert_array_equal(before[: 16_000 - fade], alone[: 16_000 - fade])

    # a shorter stem is continued; two variations of a partly kept one
    soundfile.write(tmp_path / "short.wav", before[:32_000], RATE, subtype="FLOAT")
    ran(
        *(*common, "--stem", tmp_path / "short.wav", "--from", 1.0),
        *("--out", tmp_path / "longer"),
    )
    longer = read(tmp_path / "longer" / "stem.wav")[0][:, 0]
    assert len(longer) == 64_000
    np.testing.assert_array_equal(longer[: 32_000 - fade], before[: 32_000 - fade])
    ran(
        *(*common, *given, "--keep-fraction", 0.3, "--variations", 2),
        *("--out", tmp_path / "varied"),
    )
    kept = np.arange(1, 101) * 0.3 // 1 > np.arange(100) * 0.3 // 1
    for k in (1, 2):
        varied = np.load(tmp_path / "varied" / f"tokens_{k:02d}.npz")["tokens"]
        assert (varied[:, kept] == old[:, kept]).mean() > 0.99
        assert (varied[:, ~kept] != old[:, ~kept]).mean() > 0.5


@pytest.mark.slow
def test_a_folder_is_sampled_and_bad_files_are_reported(release, loop, tmp_path):
    folder = tmp_path / "contexts"
    folder.mkdir()
    (folder / "a.flac").write_bytes(loop.read_bytes())
    (folder / "broken.wav").write_text("no audio")
    out = tmp_path / "out"
    command = ("batch", "--checkpoint", release, "--contexts", folder, "--out", out)
    run = sample_here(*command, "--instruments", "bass,drums")
    assert run.returncode == 2 and "broken.wav: not an audio file" in run.stderr
    for name in ("bass", "drums"):
        report = json.loads((out / "a" / name / "sample.json").read_text())
        assert report["settings"]["instrument"] == name
        assert len(read(out / "a" / name / "stem.wav")[0]) == 64_000
    assert not (out / "broken").exists()
    before = (out / "a" / "bass" / "sample.json").stat().st_mtime_ns
    (folder / "broken.wav").unlink()
    again = sample_here(*command, "--instruments", "bass,drums")
    assert again.returncode == 0, again.stderr
    assert (out / "a" / "bass" / "sample.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_bad_input_of_the_commands(release, loop, tmp_path):
    model = ("--checkpoint", release)
    out = tmp_path / "out"
    layer = ("layer", *model, "--context", loop)
    edit = ("edit", *model, "--context", loop, "--instrument", "bass")
    stem = ("--stem", loop)
    for args, word in (
        ((*layer, "--instruments", "bass,kazoo"), "unknown instrument 'kazoo'"),
        ((*layer,), "--instruments: name one or more"),
        (
            ("layer", *model, "--instruments", "bass"),
            "give --context FILE, or --silence",
        ),
        ((*layer, "--instruments", "bass", "--keep", 2), "--keep 2: give best, or a"),
        ((*layer, "--instruments", "bass", "--replace", 1), "has 0 layers"),
        ((*layer, "--instruments", "bass", "--key", "H"), "--key: 'H' is not a key"),
        (
            (*layer, "--instruments", "bass", "--bpm", 5),
            "--bpm 5: give a number from 20",
        ),
        ((*edit,), "give --stem FILE, its --tokens, or both"),
        ((*edit, *stem, "--from", 9), "the context is 2.00 s"),
        ((*edit, "--tokens", tmp_path / "none.npz"), "none.npz: no such file"),
        ((*edit, *stem, "--keep-levels", 2), "nothing to change"),
        (("batch", *model, "--contexts", tmp_path / "none"), "none: no such folder"),
    ):
        assert word in refused(*args, out=out), args

"""Audio, weights and releases: round trips, and what bad files get."""

import dataclasses
import json
import time

import ml_dtypes
import numpy as np
import pytest
import soundfile

from stemjax.config.releases import CodecRelease, ReleaseConfig
from stemjax.io import audio, release, weights
from stemjax.io.atomic import replacing
from stemjax.io.errors import UserError, exit_on_bad_input


def sine(seconds, rate, hertz=440.0):
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_any_format_and_rate_becomes_mono_32k(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    stereo = np.stack([sine(1.5, 44_100), np.zeros(66_150)], axis=1) * 0.5
    soundfile.write(path, stereo, 44_100)
    read, rate = audio.read_audio(path)
    mono = audio.to_mono(read, rate, 32_000)
    assert read.dtype == np.float32 and read.shape[1] == 2
    assert abs(len(mono) - 48_000) <= 1200  # MP3 pads by up to a frame
    spectrum = np.abs(np.fft.rfft(mono[:32_000]))
    assert spectrum.argmax() == 440  # 1 Hz bins
    assert np.abs(mono[8_000:24_000]).max() == pytest.approx(0.25, abs=0.02)


def test_resampling_keeps_the_exact_length():
    for count in (44_100, 44_101, 12_345):
        out = audio.resample(np.zeros(count, np.float32), 44_100, 32_000)
        assert len(out) == round(count * 32_000 / 44_100)


def test_wav_keeps_float_samples(tmp_path):
    x = np.array([0.0, 1.5, -1.25, 1e-7], np.float32)  # beyond full scale on purpose
    audio.write_wav(tmp_path / "new" / "x.wav", x, 32_000)
    back, rate = soundfile.read(tmp_path / "new" / "x.wav", dtype="float32")
    assert rate == 32_000
    np.testing.assert_array_equal(back, x)
    info = soundfile.info(tmp_path / "new" / "x.wav")
    assert (info.format, info.subtype) == ("WAV", "FLOAT")


def test_equal_samples_are_equal_bytes(tmp_path):
    x = np.linspace(-1, 1, 100, dtype=np.float32)
    audio.write_wav(tmp_path / "a.wav", x, 32_000)
    time.sleep(1.1)  # a header with a date would differ
    audio.write_wav(tmp_path / "b.wav", x, 32_000)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_bad_audio_is_named(tmp_path):
    text = tmp_path / "notes.wav"
    text.write_text("not audio")
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0), 32_000)
    nan = tmp_path / "nan.wav"
    soundfile.write(nan, np.array([0.0, np.nan]), 32_000, subtype="FLOAT")
    for path, word in [
        (tmp_path / "gone.wav", "no such file"),
        (text, "not an audio file"),
        (empty, "no samples"),
        (nan, "NaN"),
    ]:
        with pytest.raises(UserError, match=word) as error:
            audio.read_audio(path)
        assert path.name in str(error.value)


def test_rms_in_db():
    assert audio.rms_db(np.full(8, 0.1)) == pytest.approx(-20.0)
    assert audio.rms_db(np.zeros(8)) == -np.inf


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as part:
        part.write_text("ne")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_weights_round_trip(tmp_path):
    tree = {"a": {"b": np.arange(6.0).reshape(2, 3)}, "c": np.float32(3)}
    flat = weights.flatten(tree)
    assert list(flat) == ["a.b", "c"]
    half = {k: np.asarray(v, ml_dtypes.bfloat16) for k, v in flat.items()}
    weights.save_safetensors(tmp_path / "m.safetensors", half)
    back = weights.load_safetensors(tmp_path / "m.safetensors")
    assert back["a.b"].dtype == np.float32
    np.testing.assert_array_equal(back["a.b"], tree["a"]["b"])  # small ints are exact
    assert weights.unflatten(back)["a"]["b"].shape == (2, 3)


def test_weights_can_be_read_by_whoever_may_read_a_new_file(tmp_path):
    (tmp_path / "new").touch()
    weights.save_safetensors(tmp_path / "m.safetensors", {"a": np.zeros(1)})
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "m.safetensors"
    weights.save_safetensors(path, {"a": np.zeros(100, np.float32)})
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(UserError, match=r"m\.safetensors: broken"):
        weights.load_safetensors(path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plain(ReleaseConfig):
    """A kind of release without more fields."""

    KIND = "stemgen"


SHAPES = {"a": (2, 3), "b": (4,)}
ARRAYS = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
BAD_ARRAYS = {
    "a missing one": ({"a": ARRAYS["a"]}, "has no tensor b"),
    "one to spare": (ARRAYS | {"c": ARRAYS["b"]}, "has an unknown tensor c"),
    "another shape": (ARRAYS | {"b": np.ones(5)}, r"b is \(5,\), not \(4,\)"),
    "another type": (ARRAYS | {"b": np.ones(4, int)}, "b is int64, not float32"),
    "NaN": (ARRAYS | {"b": np.full(4, np.nan, np.float32)}, "b is not finite"),
    "infinite": (ARRAYS | {"b": np.full(4, -np.inf, np.float32)}, "b is not finite"),
}


@pytest.mark.parametrize("arrays, said", BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_weights_are_those_of_an_architecture(arrays, said):
    weights.check_arrays(ARRAYS, SHAPES, "w")
    with pytest.raises(UserError, match=f"^w: {said}; config.json and the weights"):
        weights.check_arrays(arrays, SHAPES, "w")


def test_release_round_trip_and_refusals(tmp_path):
    folder = tmp_path / "r"
    arrays = {"w": np.ones(3, np.float32)}
    release.write_release(folder, {"kind": "stemgen", "version": 1}, arrays, "# Card")
    read = release.read_release(folder, Plain)
    assert read.config == Plain(format=1, kind="stemgen", version=1)
    assert read.sha256 == weights.sha256_of(folder / "model.safetensors")
    np.testing.assert_array_equal(read.weights["w"], arrays["w"])
    with pytest.raises(UserError, match="not a 'codec'"):
        release.read_release(folder, CodecRelease)

    def refused(said, **changes):
        content = {"format": 1, "kind": "stemgen", "version": 1} | changes
        (folder / "config.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match=said):
            release.read_release(folder, Plain)

    refused("format 2 is not 1", format=2)
    refused("config.json: field version: expected a text or an integer", version=None)
    refused(
        'config.json: field metrics.loss: expected a number, got "x"; copy it',
        metrics={"loss": "x"},
    )
    refused("config.json: field mood: unknown; one of format, kind", mood=1)
    with pytest.raises(UserError, match="neither a folder nor a bundled name"):
        release.locate("no-such-model")


def test_bad_input_exits_2_with_one_line(capsys):
    with pytest.raises(SystemExit) as exit_, exit_on_bad_input():
        raise UserError("a.wav: broken;\n copy it again")
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "error: a.wav: broken; copy it again\n"
    with pytest.raises(SystemExit) as exit_, exit_on_bad_input():
        raise OSError(28, "No space left on device", "out/stem.wav")
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert "No space left" in err and "out/stem.wav" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("resumes", "line"),
    [
        (False, "interrupted\n"),
        (True, "interrupted: run the same command again to continue\n"),
    ],
)
def test_an_interruption_exits_130(capsys, resumes, line):
    with pytest.raises(SystemExit) as exit_, exit_on_bad_input(resumes=resumes):
        raise KeyboardInterrupt
    assert exit_.value.code == 130
    assert capsys.readouterr().err == line

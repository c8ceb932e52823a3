"""Folders of clips: pairing, lengths, what is refused, keys by content."""

import numpy as np
import pytest
import soundfile

from stemjax.eval.populations import clips
from stemjax.io.errors import UserError


def tone(seconds: float, rate: int, gain: float = 0.5) -> np.ndarray:
    return gain * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def folders(tmp_path):
    """Two examples in three folders, each file of another format and rate."""
    for role, (suffix, rate) in {
        "real": ("wav", 44_100),
        "generated": ("flac", 32_000),
        "context": ("mp3", 48_000),
    }.items():
        (tmp_path / role).mkdir()
        for name in ("a", "b"):
            file = tmp_path / role / f"{name}.{suffix}"
            soundfile.write(file, tone(2, rate), rate)
    return tmp_path


def paired(root):
    return clips.pair_folders(root / "real", root / "generated", root / "context")


def test_files_of_any_format_and_rate_are_paired_by_name(folders):
    (folders / "real" / "notes.txt").write_text("not audio")
    triples = paired(folders)
    assert [t.id for t in triples] == ["a", "b"]
    assert [t.context.name for t in triples] == ["a.mp3", "b.mp3"]
    example = clips.probe(triples[0])
    assert example.seconds == 2.0
    assert example.is_silent == {"real": False, "generated": False, "context": False}
    for role in clips.ROLES:
        audio = clips.load(example, role)
        assert audio.shape == (32_000,) and audio.dtype == np.float32
        # the same tone whatever the format; mp3 loses the most
        np.testing.assert_allclose(
            audio[4_000:-4_000], tone(2, 16_000)[4_000:-4_000], atol=0.02
        )


def test_stereo_is_heard_as_its_mean(folders):
    left, right = tone(2, 32_000), 0.5 * tone(2, 32_000)
    soundfile.write(
        folders / "generated" / "a.flac", np.stack([left, right], 1), 32_000
    )
    audio = clips.load(clips.probe(paired(folders)[0]), "generated", 32_000)
    np.testing.assert_allclose(audio, 0.75 * left, atol=1e-4)  # 16-bit flac


@pytest.mark.parametrize("role", clips.ROLES)
def test_a_missing_file_is_named(folders, role):
    (path,) = (folders / role).glob("b.*")
    path.unlink()
    with pytest.raises(UserError, match=rf"b\..*no b.wav .* in .*{role}"):
        paired(folders)


def test_other_faults_are_named(folders):
    soundfile.write(folders / "real" / "a.flac", tone(2, 32_000), 32_000)
    with pytest.raises(UserError, match="a.wav: a.flac has the same id"):
        paired(folders)
    (folders / "real" / "a.flac").unlink()
    with pytest.raises(UserError, match="no such folder"):
        clips.pair_folders(folders / "none", folders / "real")
    (folders / "empty").mkdir()
    with pytest.raises(UserError, match="holds no wav"):
        clips.pair_folders(folders / "empty", folders / "real")
    soundfile.write(folders / "real" / "a.wav", tone(0.9, 32_000), 32_000)
    with pytest.raises(UserError, match="a.wav: 0.90 s is shorter"):
        clips.probe(paired(folders)[0])
    (folders / "real" / "b.wav").write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(UserError, match="b.wav: not an audio file"):
        clips.probe(paired(folders)[1])


def test_lengths_may_differ_by_50_ms(folders):
    path = folders / "real" / "a.wav"
    soundfile.write(path, tone(1.96, 32_000), 32_000)
    example = clips.probe(paired(folders)[0])
    assert example.seconds == 1.96
    assert {len(clips.load(example, role)) for role in clips.ROLES} == {31_360}
    soundfile.write(path, tone(1.94, 32_000), 32_000)
    with pytest.raises(UserError, match="2.00 s, but another file of 'a' has 1.94 s"):
        clips.probe(paired(folders)[0])


def test_keys_depend_on_samples_and_rate_alone(folders):
    a, b = (clips.probe(t).keys for t in paired(folders))
    assert a == b and len(set(a.values())) == 3  # three rates
    audio = tone(1, 16_000).astype(np.float32)[:, None]
    key = clips.content_key(audio, 16_000)
    assert clips.content_key(audio, 16_001) != key
    assert clips.content_key(audio[:-1], 16_000) != key
    assert clips.content_key(-audio, 16_000) != key
    assert clips.joined_key([key, "x"]) != clips.joined_key(["x", key])


def test_silence_is_a_peak_below_60_db(folders):
    for peak, wanted in ((0.0009, True), (0.0011, False)):
        path = folders / "generated" / "a.flac"
        soundfile.write(path, np.full(64_000, peak), 32_000)
        assert clips.probe(paired(folders)[0]).is_silent["generated"] == wanted

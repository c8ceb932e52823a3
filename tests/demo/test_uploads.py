"""Uploads: accepted files and displayed names."""

import os
import time

import numpy as np
import pytest
import soundfile

from stemjax.demo import uploads
from stemjax.io.errors import UserError


def test_an_upload_is_read_under_its_display_name(tmp_path):
    audio = np.random.default_rng(0).normal(size=(9000, 2)).astype(np.float32) * 0.1
    path = tmp_path / "secret-place.wav"
    soundfile.write(path, audio, 44_100, subtype="FLOAT")
    found = uploads.read_upload(path, "my loop.wav")
    assert found.file == "my loop.wav" and found.rate == 44_100
    np.testing.assert_array_equal(found.audio, audio)


def test_limits_are_checked_before_decoding(tmp_path, monkeypatch):
    def refused(path, word):
        with pytest.raises(UserError, match=word) as error:
            uploads.read_upload(path, "x.wav")
        assert str(tmp_path) not in str(error.value)

    monkeypatch.setattr(
        uploads,
        "read_audio",
        lambda path, **_: pytest.fail("decoded before it was checked"),
    )
    text = tmp_path / "a.wav"
    text.write_text("no audio at all")
    refused(text, "x.wav: not an audio file")
    long = tmp_path / "long.flac"
    rng = np.random.default_rng(0)
    soundfile.write(long, rng.uniform(-0.1, 0.1, 8_000 * 301), 8_000)
    refused(long, "x.wav: 301 s, at most 300")
    wide = tmp_path / "wide.wav"
    soundfile.write(wide, np.zeros((800, 3)), 8_000)
    refused(wide, "x.wav: 3 channels")
    raw = tmp_path / "a.au"
    soundfile.write(raw, np.zeros(800), 8_000, format="AU")
    refused(raw, "x.wav: AU; give wav")
    large = tmp_path / "large.wav"
    with open(large, "wb") as file:
        file.truncate(uploads.MAX_BYTES + 1_000_000)
    refused(large, "x.wav: 51 MB, at most 50")


def test_a_length_that_no_header_says_is_found_while_decoding(tmp_path):
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(8_000 * 301), 8_000)  # 2 kB
    with pytest.raises(UserError, match="^x.wav: longer than 300 s"):
        uploads.read_upload(path, "x.wav")


def test_errors_do_not_show_the_path(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(4000, np.nan), 8_000, subtype="FLOAT")
    with pytest.raises(UserError, match="^x.wav: holds NaN") as error:
        uploads.read_upload(path, "x.wav")
    assert str(tmp_path) not in str(error.value)


def test_headerless_samples_are_refused_in_words(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(bytes(4000))
    with pytest.raises(UserError, match="^take.raw: ") as error:
        uploads.read_upload(path, "take.raw")
    assert str(tmp_path) not in str(error.value)


def test_old_uploads_and_the_oldest_of_too_many_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FOLDER_BYTES", 250)
    now = time.time()
    for name, age in (("a", 700), ("b", 30), ("c", 20), ("d", 10), ("session-e", 9000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.wav").write_bytes(bytes(100))
        os.utime(tmp_path / name, (now - age, now - age))
    leftover = tmp_path / "tmp123"
    leftover.touch()
    os.utime(leftover, (now - 700, now - 700))
    uploads.remove_old_uploads(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "d", "session-e"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("my loop.wav", "my loop.wav"),
        ("/tmp/gradio/abc/loop.wav", "loop.wav"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("../../etc/passwd", "passwd"),
        ("<script>.wav", "_script_.wav"),
        ("...", "recording"),
        (None, "recording"),
        ("é" * 200 + ".wav", "é" * 80),
    ],
)
def test_names_are_shown_without_their_folders(name, shown):
    assert uploads.display_name(name) == shown

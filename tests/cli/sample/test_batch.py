"""`stemjax batch`: which recordings, which folders, and the same folder again."""

import hashlib
import json
import os
import pathlib

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stemjax.cli.sample import batch
from stemjax.io.errors import UserError

REQUEST = {"checkpoint": "abc", "seed": 0, "steps": [8, 4], "bpm": None}


@pytest.fixture
def answer(tmp_path):
    """A recording, the folder of its stems, and a function that writes its report."""
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"sound")
    folder = tmp_path / "out" / "a" / "bass"
    folder.mkdir(parents=True)

    def write(**changed):
        digest = hashlib.sha256(b"sound").hexdigest()
        report = {"request": REQUEST, "context": {"sha256": digest}} | changed
        (folder / "sample.json").write_text(json.dumps(report))

    return recording, folder, write


def test_an_answer_of_the_same_request_is_kept(answer):
    recording, folder, write = answer
    assert not batch.is_answered(folder, recording, REQUEST)
    write()
    assert batch.is_answered(folder, recording, REQUEST)


def test_an_answer_without_its_picture_is_of_a_killed_process(answer):
    recording, folder, write = answer
    write(picture="sample.png")
    assert not batch.is_answered(folder, recording, REQUEST)
    (folder / "sample.png").touch()
    assert batch.is_answered(folder, recording, REQUEST)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"request": REQUEST | {"seed": 7}}, "--seed 7, not 0"),
        ({"request": REQUEST | {"steps": [8]}}, r"--steps \[8\], not \[8, 4\]"),
        ({"request": {}}, "--checkpoint None, not abc"),
        ({"request": 5}, "does not say how its stems were made"),
        ({"context": {"sha256": "0"}}, "made from another a.wav"),
        ({"context": None}, "does not say how its stems were made"),
    ],
)
def test_an_answer_of_another_request_is_refused(answer, changed, message):
    recording, folder, write = answer
    write(**changed)
    with pytest.raises(UserError, match=message):
        batch.is_answered(folder, recording, REQUEST)


def test_a_cut_report_is_refused(answer):
    recording, folder, _ = answer
    (folder / "sample.json").write_text('{"request')
    with pytest.raises(UserError, match="give another --out"):
        batch.is_answered(folder, recording, REQUEST)


def test_hidden_files_and_folders_are_no_recordings(tmp_path):
    for name in ("b.WAV", "a.mp3", "._a.mp3", "...wav", ".wav", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "gone.ogg").symlink_to("nowhere")  # told when it is read
    names = [path.name for path in batch.find_recordings(tmp_path)]
    assert names == ["...wav", "a.mp3", "b.WAV", "gone.ogg"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=20))
def test_answers_lie_below_out_whatever_the_name(name):
    path = pathlib.Path("in", os.fsdecode(name.replace(b"/", b"").replace(b"\0", b"")))
    assume(path.name)
    out = pathlib.Path("/work/out")
    assume(path.suffix or path.name.strip("."))  # . and .. are no files
    for recording in (path, path.with_name(path.name + ".wav")):
        folder = batch.destination_of(out, recording, 4)
        parts = folder.relative_to(out).parts
        assert len(parts) == 2 and not {"..", ".", ""} & set(parts)
        assert pathlib.Path(os.path.normpath(folder)) == folder

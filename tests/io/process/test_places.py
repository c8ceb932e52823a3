"""Places of results: checked before any work."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.process import places


def test_a_folder_that_can_be_made_is_good(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path, tmp_path / "a" / "b", "c", "gs://bucket/x"):
        places.check_folder(path)
        places.check_file(f"{path}/file.json")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_told_at_once(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for path in ("file", "file/a", "file/a/b", "link", "link/a"):
        with pytest.raises(ValueError, match="is no folder"):
            places.check_folder(tmp_path / path)
    for check in (places.check_folder, places.check_file):
        with pytest.raises(ValueError, match="'': give a f"):
            check("")
    with pytest.raises(ValueError, match="is a folder; give a file"):
        places.check_file(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match=f"no right to write to {tmp_path}"):
        places.check_folder(tmp_path / "a" / "b")


def test_a_path_without_a_name_is_no_file():
    for path in ("", ".", "..", "a/.."):
        with pytest.raises(UserError, match="is no file"):
            write_text(path, "text")


@pytest.mark.parametrize("name", ["a[1]", "a*", "a?", "back\\slash", "caf\udce9"])
def test_checkpoints_go_where_they_can_be_read_again(tmp_path, name, monkeypatch):
    with pytest.raises(ValueError, match="read again; give another"):
        places.check_checkpoint_folder(tmp_path / name / "run")
    # a relative path, below such a folder
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    with pytest.raises(ValueError, match="read again; give another"):
        places.check_checkpoint_folder("run")


@pytest.mark.parametrize("name", ["a b", "x=3", "a{b}", "$x", "\u66f2", "50%20", "a#b"])
def test_other_names_are_good_for_checkpoints(tmp_path, name):
    places.check_checkpoint_folder(tmp_path / name)
    places.check_checkpoint_folder(f"gs://bucket/{name}[1]")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=20))
def test_any_name_is_text_in_a_report(tmp_path_factory, name):
    given_name = os.fsdecode(name.replace(b"/", b"").replace(b"\0", b"") + b".wav")
    text = places.printable_name(given_name)
    assert text.encode("utf-8").decode() == text
    if name.isascii():
        assert text == given_name
    file = tmp_path_factory.getbasetemp() / "report.md"
    write_text(file, given_name)
    file.read_text(encoding="utf-8")

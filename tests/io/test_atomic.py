"""Files that replace others whole, and what killed processes leave."""

import socket
import subprocess
import sys

import pytest

from stemjax.io.atomic import finish_replacing, replacing, replacing_files, write_text


def dead_pid() -> int:
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_half_written_files_of_dead_processes_of_this_machine_are_removed(tmp_path):
    host = socket.gethostname()
    (tmp_path / f".old.{host}.{dead_pid()}.part.wav").touch()
    (tmp_path / f".mine.{host}.1.part.wav").touch()  # process 1 lives
    (tmp_path / f".far.elsewhere.{dead_pid()}.part").touch()
    (tmp_path / f"kept.{host}.{dead_pid()}.part.wav").touch()
    write_text(tmp_path / "new.txt", "x")
    assert len(names(tmp_path)) == 4
    assert not [name for name in names(tmp_path) if name.startswith(".old")]


def test_files_replace_the_old_ones_together_or_not_at_all(tmp_path):
    for name in ("a", "b", "other"):
        (tmp_path / name).write_text("old")
    with pytest.raises(OSError), replacing_files(tmp_path) as new:
        (new / "a").write_text("new")
        raise OSError("no space")
    assert names(tmp_path) == ["a", "b", "other"]
    assert (tmp_path / "a").read_text() == "old"
    with replacing_files(tmp_path) as new:
        (new / "a").write_text("new")
        (new / "b").write_text("new")
    assert names(tmp_path) == ["a", "b", "other"]
    texts = [(tmp_path / name).read_text() for name in ("a", "b", "other")]
    assert texts == ["new", "new", "old"]


def test_a_replacement_killed_after_its_switch_is_finished_later(tmp_path):
    (tmp_path / "a").write_text("new")  # moved before the kill
    (tmp_path / "b").write_text("old")
    switch, unfinished = tmp_path / ".switch", tmp_path / ".next"
    for folder in (switch, unfinished):
        folder.mkdir()
        (folder / "b").write_text("new" if folder == switch else "half")
    finish_replacing(tmp_path)
    assert (tmp_path / "b").read_text() == "new" and not switch.exists()
    with replacing_files(tmp_path) as new:
        assert names(new) == []
    assert names(tmp_path) == ["a", "b"]


def test_a_part_that_fails_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(OSError), replacing(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise OSError("no space")
    assert names(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"

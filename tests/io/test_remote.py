"""Files in a bucket, against a stand-in for Google's storage on this machine."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from stemjax.io import release
from stemjax.io.atomic import replacing, write_text
from stemjax.io.audio import write_wav
from stemjax.io.errors import UserError, exit_on_bad_input
from stemjax.io.lines import append_line, drop_after, read_lines
from stemjax.io.remote import (
    absolute,
    as_path,
    is_remote,
    local_folder,
    move_tree,
    publish,
    read_files,
    remove_tree,
    stage,
)
from stemjax.io.weights import sha256_of
from tests.fake_gcs import FakeStorage
from tests.io.test_io import Plain

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gcsfs") is None, reason="needs gcsfs"
)


@pytest.fixture
def storage(tmp_path, monkeypatch):
    with FakeStorage("bucket") as storage:
        storage.serve(monkeypatch)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield storage


def data_of(storage, name):
    return storage.objects["bucket", name].data


def test_a_path_is_local_or_in_a_bucket(storage, tmp_path):
    assert is_remote("gs://bucket/a") and is_remote(as_path("gs://bucket/a") / "b")
    assert not is_remote(tmp_path) and not is_remote("gs/bucket")
    assert str(as_path("gs://bucket/a") / "b.json") == "gs://bucket/a/b.json"
    assert str(absolute("gs://bucket/a")) == "gs://bucket/a"
    assert absolute(".") == as_path(os.getcwd())
    with pytest.raises(UserError, match="only gs://"):
        as_path("s3://bucket/a")


def test_without_gcsfs_the_mend_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "gcsfs" else find(n)
    )
    with pytest.raises(UserError, match=r"pip install 'stemjax\[gcs\]'"):
        as_path("gs://bucket/a")


def test_writers_write_whole_objects_or_none(storage):
    write_text("gs://bucket/a/b.json", "ä\n")
    assert data_of(storage, "a/b.json") == "ä\n".encode()
    write_wav("gs://bucket/a/c.wav", np.zeros(100), 32_000)
    assert data_of(storage, "a/c.wav")[:4] == b"RIFF"
    with pytest.raises(RuntimeError), replacing("gs://bucket/a/b.json") as part:
        part.write_text("half")
        raise RuntimeError
    assert data_of(storage, "a/b.json") == "ä\n".encode()
    assert storage.names("bucket") == ["a/b.json", "a/c.wav"]


def test_a_folder_name_that_lost_a_slash_is_not_made_on_this_machine(tmp_path):
    with pytest.raises(UserError, match="gs://"):
        write_text(os.path.join("gs:/bucket", "a.json"), "x")


def test_no_such_bucket_is_one_line(storage, capsys):
    with pytest.raises(SystemExit) as left, exit_on_bad_input():
        write_text("gs://nobody/a.json", "x")
    assert left.value.code == 2
    assert capsys.readouterr().err == (
        "error: gs://nobody/a.json: no such bucket, or no right to see it\n"
    )


def test_a_refusal_is_one_line(storage, capsys, monkeypatch):
    storage.refusal = 401
    with pytest.raises(SystemExit) as left, exit_on_bad_input():
        write_text("gs://bucket/a.json", "x")
    assert left.value.code == 2
    assert "gcloud auth application-default login" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_large_files_arrive_as_they_were(storage, tmp_path):
    content = np.random.default_rng(0).bytes(51 * 2**20)  # past gcsfs's one request
    (tmp_path / "a").write_bytes(content)
    publish(tmp_path / "a", "gs://bucket/a")
    assert data_of(storage, "a") == content


def test_trees_are_published_moved_and_removed(storage, tmp_path):
    with local_folder("gs://bucket/profile") as folder:
        (folder / "x").mkdir()
        (folder / "x" / "y").write_text("1")
        (folder / "z").write_text("2")
        assert not storage.objects
    assert storage.names("bucket") == ["profile/x/y", "profile/z"]
    with local_folder(tmp_path / "here") as folder:
        assert folder == tmp_path / "here"
    move_tree("gs://bucket/profile", "gs://bucket/broken/1")
    assert storage.names("bucket") == ["broken/1/x/y", "broken/1/z"]
    write_text("gs://bucket/broken2", "")
    remove_tree("gs://bucket/broken")
    remove_tree("gs://bucket/broken")  # nothing there: nothing to do
    assert storage.names("bucket") == ["broken2"]


def test_read_files_reads_one_level_in_order(storage, tmp_path):
    for name in (
        "m/2.jsonl",
        "m/1.jsonl",
        "m/deep/3.jsonl",
        "m/note.txt",
        "mm/4.jsonl",
    ):
        storage.put("bucket", name, name.encode())
    assert list(read_files("gs://bucket/m", ".jsonl").items()) == [
        ("1.jsonl", b"m/1.jsonl"),
        ("2.jsonl", b"m/2.jsonl"),
    ]
    assert read_files("gs://bucket/none", ".jsonl") == {}
    assert read_files(tmp_path / "none", ".jsonl") == {}


def test_what_other_processes_write_is_seen(storage):
    storage.put("bucket", "m/1.jsonl", b"1")
    folder = as_path("gs://bucket/m")
    assert [p.name for p in folder.iterdir()] == ["1.jsonl"]
    assert list(read_files(folder, ".jsonl")) == ["1.jsonl"]
    storage.put("bucket", "m/1.jsonl", b"longer")
    storage.put("bucket", "m/2.jsonl", b"2")
    assert sorted(p.name for p in folder.iterdir()) == ["1.jsonl", "2.jsonl"]
    assert read_files(folder, ".jsonl") == {"1.jsonl": b"longer", "2.jsonl": b"2"}
    assert (folder / "1.jsonl").stat().length == 6


def test_importing_the_package_settles_how_buckets_are_opened():
    code = (
        "import stemjax.config, fsspec; from etils import epath;"
        "assert fsspec.config.conf['gcs'] == {'use_listings_cache': False};"
        "backend = epath.Path('gs://bucket/a')._backend;"
        "assert type(backend).__name__ == '_FileSystemSpecBackend', backend"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("EPATH", "FSSPEC"))}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


@pytest.fixture
def stored_release(storage):
    weights = {"a.b": np.arange(6, dtype=np.float32).reshape(2, 3)}
    release.write_release(
        "gs://bucket/r", {"kind": "stemgen", "version": "1"}, weights, "# card\n"
    )
    storage.put("bucket", "r/codec/config.json", b"{}")
    storage.put("bucket", "r/pytorch_model.bin", b"not ours")
    storage.put("bucket", "r/a/b/config.json", b"too deep")
    storage.put("bucket", "r2/config.json", b"another")
    return weights


def test_a_release_in_a_bucket_is_read_from_a_copy(storage, stored_release, tmp_path):
    folder = release.locate("gs://bucket/r")
    assert folder.is_relative_to(tmp_path / "cache") and folder.name == "r"
    there = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*"))
    files = ["README.md", "codec/config.json", "config.json", "model.safetensors"]
    assert there == files
    read = release.read_release("gs://bucket/r", Plain)
    np.testing.assert_array_equal(read.weights["a.b"], stored_release["a.b"])
    assert read.sha256 == sha256_of("gs://bucket/r/model.safetensors")


def test_a_copy_is_made_once_and_anew_when_the_release_changed(storage, stored_release):
    def downloads():
        return sum("/download/" in path for _, path in storage.requests)

    first = stage("gs://bucket/r", release.FILES)
    before = downloads()
    assert before == 4
    assert stage("gs://bucket/r", release.FILES) == first and downloads() == before
    (first / "config.json").write_text("{")  # cut off by hand
    assert stage("gs://bucket/r", release.FILES) == first
    assert json.loads((first / "config.json").read_text())["kind"] == "stemgen"
    changed = data_of(storage, "r/config.json").replace(b"stemgen", b"segment")
    storage.put("bucket", "r/config.json", changed)  # as long as it was
    second = stage("gs://bucket/r", release.FILES)
    assert second != first
    assert json.loads((second / "config.json").read_text())["kind"] == "segment"


def test_a_copy_cut_off_on_the_way_is_no_copy(storage, stored_release, tmp_path):
    storage.cut = 7  # bytes of each download
    with pytest.raises(UserError, match="not what the bucket holds"):
        stage("gs://bucket/r", release.FILES)
    assert not list((tmp_path / "cache" / "stemjax" / "releases").iterdir())
    storage.cut = None
    assert (stage("gs://bucket/r", release.FILES) / "config.json").is_file()


def test_a_folder_without_a_release_is_said_so(storage):
    storage.put("bucket", "runs/a/codec/config.json", b"{}")
    for folder in ("none", "runs", "runs/a"):
        with pytest.raises(
            UserError, match=f"gs://bucket/{folder}: not a release folder"
        ):
            release.locate(f"gs://bucket/{folder}")
    with pytest.raises(UserError, match="gs://bucket/none: holds none of README.md"):
        stage("gs://bucket/none", release.FILES)


def test_lines_in_a_bucket_are_parts_and_read_as_one(storage, monkeypatch):
    monkeypatch.setattr("stemjax.io.lines.PART_LINES", 20)
    path = "gs://bucket/run/metrics.jsonl"
    assert read_lines(path) == []
    records = [{"step": s, "loss": 1 / s} for s in range(5, 201, 5)]
    for record in records:
        append_line(path, record)
    first, second = storage.names("bucket")
    assert first == "run/metrics/0000000005.jsonl"
    assert second == "run/metrics/0000000105.jsonl"
    assert data_of(storage, first).count(b"\n") == 20
    assert read_lines(path) == records


def test_lines_past_a_step_are_dropped_and_written_again(storage, monkeypatch):
    monkeypatch.setattr("stemjax.io.lines.PART_LINES", 3)
    path = "gs://bucket/run/metrics.jsonl"
    for step in range(1, 9):  # parts 1-3, 4-6, 7-8
        append_line(path, {"step": step, "start": 1})
    drop_after(path, 5)
    assert [r["step"] for r in read_lines(path)] == [1, 2, 3, 4, 5]
    for step in range(6, 9):
        append_line(path, {"step": step, "start": 2})
    read = [(r["step"], r["start"]) for r in read_lines(path)]
    assert read == [(s, 1 if s <= 5 else 2) for s in range(1, 9)]
    assert storage.names("bucket") == [f"run/metrics/{n:010d}.jsonl" for n in (1, 4, 7)]
    drop_after(path, 0)
    assert read_lines(path) == [] and not storage.objects


def test_lines_of_another_process_are_continued(storage, monkeypatch):
    path = "gs://bucket/run/metrics.jsonl"
    append_line(path, {"step": 1})
    monkeypatch.setattr("stemjax.io.lines._newest", {})
    append_line(path, {"step": 2})
    assert storage.names("bucket") == ["run/metrics/0000000001.jsonl"]
    assert read_lines(path) == [{"step": 1}, {"step": 2}]


def test_a_workdir_copied_out_of_or_into_a_bucket_goes_on(storage, tmp_path):
    local, part = tmp_path / "metrics.jsonl", tmp_path / "metrics" / "0000000001.jsonl"
    write_text(part, '{"step": 1}\n{"step": 2}\n')
    append_line(local, {"step": 3})
    assert [r["step"] for r in read_lines(local)] == [1, 2, 3]
    drop_after(local, 1)
    assert [r["step"] for r in read_lines(local)] == [1]
    assert part.read_text() == '{"step": 1}\n' and local.read_text() == ""
    storage.put("bucket", "run/metrics.jsonl", b'{"step": 1}\n{"step": 2}\n{"st')
    drop_after("gs://bucket/run/metrics.jsonl", 1)
    append_line("gs://bucket/run/metrics.jsonl", {"step": 2})
    assert data_of(storage, "run/metrics.jsonl") == b'{"step": 1}\n'
    read = read_lines("gs://bucket/run/metrics.jsonl")
    assert [r["step"] for r in read] == [1, 2]

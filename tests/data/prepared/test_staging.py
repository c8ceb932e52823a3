"""Data sets behind a URL are copied whole, checked, and once."""

import importlib.util
import json
import multiprocessing
import shutil

import numpy as np
import pytest

from stemjax.data.prepare import PrepareArgs, SongLayout, prepare
from stemjax.data.prepared import staging
from stemjax.data.prepared.staging import staged, staging_root
from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.data.spec import open_audio, open_data
from stemjax.data.tokens.store import open_tokens
from stemjax.io.errors import UserError
from stemjax.io.remote import download, is_remote
from tests.data.bucket import put_in_folder
from tests.data.made_songs import plain_songs
from tests.data.tokens.made_stores import codes_of, encode, filled, writer
from tests.fake_gcs import FakeStorage


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return filled(
        tmp_path_factory.mktemp("s") / "t",
        SyntheticSet(0, songs=(2, 1, 0), seconds=3.0),
    )


@pytest.fixture
def bucket(monkeypatch, tmp_path, made):
    root = put_in_folder(monkeypatch, tmp_path / "bucket")
    monkeypatch.setenv("STEMJAX_STAGING", str(tmp_path / "staging"))
    shutil.copytree(made.folder, root / "b" / "t")
    return root


def count_downloads(monkeypatch):
    counted = []

    def counting(url, path):
        counted.append(url.rpartition("/")[2])
        download(url, path)

    monkeypatch.setattr(staging, "download", counting)
    return counted


def test_a_local_folder_is_itself(tmp_path, monkeypatch):
    assert staged(str(tmp_path)) == tmp_path
    assert is_remote("gs://b/x") and not is_remote("b/x")
    monkeypatch.delenv("STEMJAX_STAGING", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert str(staging_root()) == "/cache/stemjax/staging"


def test_a_store_is_copied_once_under_its_hash(bucket, made, monkeypatch, tmp_path):
    counted = count_downloads(monkeypatch)
    opened = open_data("gs://b/t=2,gs://b/t=1")
    assert opened.is_tokens
    for store in opened.sources:
        assert store.folder == tmp_path / "staging" / made.content_hash
        np.testing.assert_array_equal(codes_of(store), codes_of(made))
        store.verify()
    assert sorted(counted) == ["codes-00000.bin", "index.npz"]
    # the same content at another address is the same copy
    shutil.copytree(bucket / "b" / "t", bucket / "b" / "u")
    assert staged("gs://b/u/") == staged("gs://b/t") and len(counted) == 2


def test_a_copy_that_was_cut_short_goes_on(bucket, made, monkeypatch, capsys):
    counted = count_downloads(monkeypatch)
    folder = staged("gs://b/t")
    said = capsys.readouterr().out
    assert said.startswith("staging gs://b/t: 2 files, ") and said.count("\n") == 1
    # killed before the last file: no manifest, one file missing, one of another size
    for lost, again in (("index.npz", None), ("codes-00000.bin", b"cut")):
        counted.clear()
        (folder / "manifest.json").unlink()
        (folder / lost).unlink()
        if again:
            (folder / lost).write_bytes(again)
        assert staged("gs://b/t") == folder and counted == [lost]
    open_tokens(folder).verify()


def test_damage_and_strange_manifests_are_said(bucket, made, tmp_path):
    there, copy = bucket / "b" / "t", tmp_path / "staging" / made.content_hash
    codes = (there / "codes-00000.bin").read_bytes()
    (there / "codes-00000.bin").write_bytes(codes[:-1] + bytes([codes[-1] ^ 1]))
    with pytest.raises(UserError, match="gs://b/t/codes-00000.bin is damaged: copy it"):
        staged("gs://b/t")
    assert not (copy / "manifest.json").exists()
    assert not (copy / "codes-00000.bin").exists()
    (there / "codes-00000.bin").unlink()
    with pytest.raises(UserError, match="cannot read gs://b/t/codes-00000.bin"):
        staged("gs://b/t")
    with pytest.raises(UserError, match="gs://b/nowhere: no manifest.json; give a"):
        staged("gs://b/nowhere")
    # nothing is written outside of the folder, whatever a manifest says
    manifest = json.loads((there / "manifest.json").read_text())
    for change in (
        {"kind": "letters"},
        {"content_hash": "../../x"},
        {"files": {"../x": {"bytes": 1, "sha256": "0"}}},
        {"files": 3},
    ):
        (there / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(UserError, match="^gs://b/t/manifest.json: "):
            staged("gs://b/t")
    (there / "manifest.json").write_text("[1, 2")
    with pytest.raises(UserError, match="^gs://b/t/manifest.json: not JSON"):
        staged("gs://b/t")


def test_a_full_disk_is_said_before(bucket, monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match="free some or set STEMJAX_STAGING"):
        staged("gs://b/t")


@pytest.mark.parametrize("is_flac", [False, True])
def test_a_prepared_folder_is_copied_and_checked(bucket, tmp_path, is_flac):
    source = plain_songs(tmp_path / "songs", 2)
    here = tmp_path / "prepared"
    settings = {"layout": SongLayout.FOLDER, "workers": 1, "flac": is_flac}
    prepare(PrepareArgs(input=source, out=here, **settings))
    shutil.copytree(here, bucket / "b" / "p")
    own, copy = open_audio(str(here)), open_audio("gs://b/p")
    assert copy.folder != own.folder and copy.content_hash == own.content_hash
    np.testing.assert_array_equal(copy.read(range(len(own))), own.read(range(len(own))))
    np.testing.assert_array_equal(
        copy.index("train").stem_rms_db, own.index("train").stem_rms_db
    )
    (shard,) = list((bucket / "b" / "p").glob("*train*-of-*"))[:1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 255
    shard.write_bytes(content)
    shutil.rmtree(copy.folder)
    with pytest.raises(UserError, match=f"{shard.name} is damaged"):
        staged("gs://b/p")
    shutil.copy(here / shard.name, shard)
    (copy.folder / "rms.npy").unlink(missing_ok=True)
    (bucket / "b" / "p" / "rms.npy").write_bytes(b"no table")
    with pytest.raises(UserError, match="rms.npy is damaged"):
        staged("gs://b/p")


def stage_in_process(root, staging, counts):
    with pytest.MonkeyPatch.context() as patch:
        put_in_folder(patch, root)
        patch.setenv("STEMJAX_STAGING", staging)
        counted = count_downloads(patch)
        open_data("gs://b/t").data.verify()
        counts.put(len(counted))


@pytest.mark.slow
def test_processes_of_one_host_share_the_copy(bucket, tmp_path):
    context = multiprocessing.get_context("spawn")  # jax may have threads here
    counts = context.SimpleQueue()
    job = (bucket, str(tmp_path / "staging"), counts)
    processes = [context.Process(target=stage_in_process, args=job) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(counts.get() for _ in processes) == [0, 0, 2]


@pytest.mark.skipif(importlib.util.find_spec("gcsfs") is None, reason="needs gcsfs")
def test_a_store_goes_to_a_real_client_and_back(made, monkeypatch, tmp_path):
    monkeypatch.setenv("STEMJAX_STAGING", str(tmp_path / "staging"))
    songs = SyntheticSet(0, songs=(2, 1, 0), seconds=3.0)
    with FakeStorage("bucket") as storage:
        storage.serve(monkeypatch)
        manifest = writer("gs://bucket/a/t", songs).fill(encode)
        assert manifest["content_hash"] == made.content_hash
        names = [*manifest["files"], "manifest.json"]
        assert storage.names("bucket") == sorted(f"a/t/{name}" for name in names)
        store = open_data("gs://bucket/a/t").data
        np.testing.assert_array_equal(codes_of(store), codes_of(made))
        with pytest.raises(UserError, match="has seed 0, not 1: give another --out"):
            writer("gs://bucket/a/t", songs, seed=1)
        with pytest.raises(UserError, match="gs://bucket/no: no manifest.json"):
            open_data("gs://bucket/no")
        refused = "ftp://x/y/manifest.json: only gs://, s3://, az"
        with pytest.raises(UserError, match=refused):
            open_data("ftp://x/y")


def test_without_its_client_a_bucket_says_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "gcsfs" else find(n)
    )
    with pytest.raises(UserError, match=r"pip install 'stemjax\[gcs\]'"):
        open_data("gs://bucket/t")

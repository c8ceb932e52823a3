"""Filling token stores: in shards, resumable, here and in an object store."""

import json

import numpy as np
import pytest

from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.data.spec import open_data
from stemjax.data.tokens.store import open_tokens
from stemjax.io.errors import UserError
from tests.data.bucket import put_in_folder
from tests.data.tables import MemorySource
from tests.data.tokens.made_stores import BATCH, codes_of, encode, filled, writer

ENTRY_BYTES = 2 * 2 * 250
PER_SHARD = 10  # no multiple of a batch


class Killed(Exception):
    pass


class Codec:
    """`encode`, killed at call `limit`; counts its calls over several starts."""

    def __init__(self):
        self.calls, self.limit = 0, 1_000

    def __call__(self, audio):
        if self.calls == self.limit:
            raise Killed
        self.calls += 1
        return encode(audio)

    def until(self, limit):
        self.limit = limit
        return self


@pytest.fixture(scope="module")
def songs():
    return SyntheticSet(0, songs=(4, 3, 1), seconds=5.0)


@pytest.fixture(scope="module")
def whole(songs, tmp_path_factory):
    """The store in one shard."""
    return filled(tmp_path_factory.mktemp("store") / "t", songs)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(
        "stemjax.data.tokens.format.SHARD_BYTES",
        PER_SHARD * ENTRY_BYTES + ENTRY_BYTES // 2,
    )


def test_shards_hold_whole_entries_up_to_a_size(songs, whole, small_shards, tmp_path):
    store = filled(tmp_path / "t", songs)
    sizes = [
        store.manifest["files"][f"codes-{number:05d}.bin"]["bytes"] // ENTRY_BYTES
        for number in range(len(store.manifest["files"]) - 1)
    ]
    total = len(whole.index_arrays["entry_segment"])
    assert sizes == [10] * (total // 10) + [total % 10] * (total % 10 > 0)
    assert len(sizes) >= 3
    np.testing.assert_array_equal(codes_of(store), codes_of(whole))
    raw = np.fromfile(store.folder / "codes-00001.bin", "<u2").reshape(-1, 2, 250)
    np.testing.assert_array_equal(raw[3], store.codes(13))
    store.verify()
    with pytest.raises(IndexError, match=f"has {total} entries, got {total}"):
        store.codes(total)


def test_filling_goes_on_where_it_stopped(songs, whole, small_shards, tmp_path):
    expected = filled(tmp_path / "straight", songs)
    codec, folder = Codec(), tmp_path / "t"
    with pytest.raises(Killed):
        writer(folder, songs).fill(codec.until(2), batch_size=BATCH)
    with pytest.raises(UserError, match="holds no manifest.json: make the folder with"):
        open_tokens(folder)
    seen = []
    made = writer(folder, songs)
    with pytest.raises(Killed):
        made.fill(codec.until(5), batch_size=BATCH, progress=lambda *x: seen.append(x))
    total = len(made.entries)
    # shards of 10 are batches of 4, 4, 2
    assert seen == [(8, total), (10, total), (14, total), (18, total)]
    assert sorted(p.name for p in folder.iterdir()) == [".work", "codes-00000.bin"]
    # killed in the middle of a write: half a line, and codes that are not its codes
    log = folder / ".work" / "codes-00001.jsonl"
    log.write_text(log.read_text() + '{"first":8,"cou')
    codes = np.memmap(folder / ".work" / "codes-00001.bin", "<u2", mode="r+")
    codes[5 * 2 * 250] ^= 1  # of entry 15: its batch is done again
    codes.flush()
    # killed between the move of a shard and the note of it
    (folder / ".work" / "codes-00000.json").unlink()
    seen.clear()
    finished = writer(folder, songs).fill(
        codec.until(1_000), batch_size=BATCH, progress=lambda *x: seen.append(x)
    )
    assert seen[0] == (14, total) and seen[-1] == (total, total)
    assert finished["content_hash"] == expected.content_hash
    store = open_tokens(folder)
    np.testing.assert_array_equal(codes_of(store), codes_of(whole))
    store.verify()
    assert not (folder / ".work").exists()
    # and a finished store is left alone, whatever encodes
    calls = codec.calls
    writer(folder, songs).fill(codec.until(0), batch_size=BATCH)
    assert codec.calls == calls


def test_a_store_is_filled_into_a_bucket(songs, small_shards, tmp_path, monkeypatch):
    bucket = put_in_folder(monkeypatch, tmp_path / "bucket")
    monkeypatch.setenv("STEMJAX_STAGING", str(tmp_path / "one"))
    expected = filled(tmp_path / "straight", songs)
    codec, url = Codec(), "gs://b/t"
    with pytest.raises(Killed):
        writer(url, songs).fill(codec.until(5), batch_size=BATCH)
    there = bucket / "b" / "t"
    names = {p.relative_to(there).as_posix() for p in there.rglob("*") if p.is_file()}
    assert names == {".work/plan.json", ".work/codes-00000.json", "codes-00000.bin"}
    with pytest.raises(UserError, match="gs://b/t has seed 0, not 1: give another"):
        writer(url, songs, seed=1)
    # another machine goes on after the shard that is there
    monkeypatch.setenv("STEMJAX_STAGING", str(tmp_path / "two"))
    seen = []
    with pytest.raises(Killed):
        writer(url, songs).fill(
            codec.until(6), batch_size=BATCH, progress=lambda *x: seen.append(x)
        )
    assert [done for done, _ in seen] == [10, 14]
    # and the same one after the batches that it has
    seen.clear()
    made = writer(url, songs).fill(
        codec.until(1_000), batch_size=BATCH, progress=lambda *x: seen.append(x)
    )
    assert seen[0][0] == 14
    assert made["content_hash"] == expected.content_hash
    assert {p.name for p in there.iterdir()} == {*made["files"], "manifest.json"}
    assert not list((tmp_path / "two" / "filling").iterdir())
    calls = codec.calls
    assert writer(url, songs).fill(codec)["content_hash"] == made["content_hash"]
    assert codec.calls == calls
    # training reads it through a copy
    opened = open_data(url)
    np.testing.assert_array_equal(codes_of(opened.data), codes_of(expected))
    (bucket / "b" / "u").mkdir()
    (bucket / "b" / "u" / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="gs://b/u holds other files"):
        writer("gs://b/u", songs)


def test_another_fill_does_not_write_into_a_store(songs, whole, tmp_path):
    for changes in ({"seed": 1}, {"draws_per_segment": 4}):
        with pytest.raises(
            UserError, match=f"has {next(iter(changes))} .*another --out"
        ):
            writer(whole.folder, songs, **changes)
    other = SyntheticSet(5, songs=(1, 0, 0), seconds=2.0)
    with pytest.raises(UserError, match="has source"):
        writer(whole.folder, other)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "manifest.json").write_text(
        json.dumps(whole.manifest | {"format": 1})
    )
    with pytest.raises(UserError, match="has format 1, not 2: give another --out"):
        writer(tmp_path / "old", songs)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        writer(tmp_path, songs)
    with pytest.raises(UserError, match="draws per segment must be 1 or more: 0"):
        writer(tmp_path / "t", songs, draws_per_segment=0)
    with pytest.raises(UserError, match="no segment has two stems"):
        writer(tmp_path / "t", MemorySource({})).fill(encode)
    assert not (tmp_path / "t").exists()


def test_codes_of_a_wrong_codec_are_refused(songs, tmp_path):
    with pytest.raises(ValueError, match=r"shape \(1, 250\), not \(2, 250\)"):
        writer(tmp_path / "a", songs).fill(lambda audio: encode(audio)[:, :1])
    with pytest.raises(ValueError, match="in 300..811, outside of the 512"):
        writer(tmp_path / "b", songs).fill(lambda audio: encode(audio) + 300)
    with pytest.raises(ValueError, match="codes are float64 .*, not integers"):
        writer(tmp_path / "c", songs).fill(lambda audio: encode(audio) / 2)

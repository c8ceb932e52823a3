"""How songs are cut into shards: whole songs, at most 256 MB, independent of workers."""

import pytest

from stemjax.data.layouts.song import Song
from stemjax.data.prepared.records import Encoding
from stemjax.data.prepared.shards import SHARD_BYTES, Sized, plan_shards


def sized(*records, split="train"):
    songs = [Song(f"{n}", f"{n}", split, "made", ()) for n in range(len(records))]
    return [
        Sized(song, count, 0.0, ()) for song, count in zip(songs, records, strict=True)
    ]


def cuts(shards):
    return [[one.records for one in shard.songs] for shard in shards]


def test_small_data_sets_have_shards_of_64_records_or_more():
    assert cuts(plan_shards(sized(30, 30, 30, 50, 1), Encoding.INT16)) == [
        [30, 30, 30],
        [50, 1],
    ]


@pytest.mark.parametrize(("encoding", "most"), [("int16", 398), ("flac", 711)])
def test_no_shard_is_larger_than_256_mb(encoding, most):
    encoding = Encoding(encoding)
    # 642 kB a record at most, or 360 kB
    assert SHARD_BYTES == 256_000_000
    assert cuts(plan_shards(sized(most - 1, 1, 1), encoding, 5_000)) == [
        [most - 1, 1],
        [1],
    ]
    # 64 shards of 1000 records are wanted; the size decides
    shards = plan_shards(sized(*[100] * 640), encoding)
    assert {shard.records for shard in shards[:-1]} == {most // 100 * 100}
    # a song is not cut
    alone = plan_shards(sized(10, 2 * most, 10), encoding, 5_000)
    assert cuts(alone) == [[10], [2 * most], [10]]

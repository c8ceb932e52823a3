"""Batches of pairs and crops: the right samples, the same on every way to them."""

import itertools

import numpy as np
import pytest

from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig
from stemjax.data.drawing.batches import endless, finite
from stemjax.data.drawing.crops import codec_batches, codec_eval_batches
from stemjax.data.drawing.mixture import Mixture
from stemjax.data.drawing.pairs import (
    pair_batches,
    pair_eval_batches,
    pair_pool,
    read_pair,
)
from stemjax.data.drawing.prefetch import in_threads
from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.io.errors import UserError
from tests.data.tables import MemorySource, draw, noise

SECOND = PairConfig(crop_seconds=1.0)
TRAIN = {"split": "train", "batch_size": 4, "seed": 3}


@pytest.fixture(scope="module")
def songs():
    return SyntheticSet(0, songs=(5, 3, 0), seconds=12.0)


def take(batches, count):
    made = list(itertools.islice(batches, count))
    if hasattr(batches, "close"):
        batches.close()
    return made


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].dtype == right[name].dtype
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def whole(source, table, stem, samples):
    """A stem's samples, record by record."""
    records = [
        source.read([int(table.stem_record[stem]) + r])[0]
        for r in range(-(-samples // 320_000))
    ]
    return np.concatenate(records)[:samples]


def test_a_pair_is_the_sum_of_its_stems(songs):
    # crops of 3 s of 12 s: some cross from the first record to the second
    pairs = PairConfig(crop_seconds=3.0)
    table = songs.index("train")
    crossed = 0
    for epoch in range(4):
        for k in range(5):
            d = draw(table, 0, epoch, k, pairs)
            context, target = read_pair(songs, table, d)
            cut = slice(d.start, d.start + d.samples)
            crossed += d.start < 320_000 < cut.stop
            stems = [whole(songs, table, s, 384_000)[cut] for s in d.context]
            expected = sum(s.astype(np.int64) for s in stems)  # quiet: gain is 1
            np.testing.assert_array_equal(context, expected)
            np.testing.assert_array_equal(
                target, whole(songs, table, d.target, 384_000)[cut]
            )
            assert context.dtype == target.dtype == np.int16
    assert crossed > 1


def test_a_loud_mix_and_its_target_get_one_gain():
    stems = [np.full(64_000, value, np.int16) for value in (20_000, 20_000, 10_000)]
    source = MemorySource({"train": [list(zip((-1, -1, 4), stems, strict=True))]})
    table = source.index("train")
    seen = set()
    for epoch in range(20):
        d = draw(table, 0, epoch, 0, SECOND)
        context, target = read_pair(source, table, d)
        if len(d.context) == 2:  # 40,000 becomes 32,767; 10,000 follows
            assert (context[0], target[0]) == (32_767, 8_192)
        else:
            assert (context[0], target[0]) == (20_000, 10_000)
        seen.add(len(d.context))
    assert seen == {1, 2}
    # negative full scale is within int16: no gain
    low = MemorySource({"train": [[(4, np.full(64_000, -32_768, np.int16))] * 2]})
    made = draw(low.index("train"), 0, 0, 0, SECOND)
    assert read_pair(low, low.index("train"), made)[0][0] == -32_768


def test_a_short_song_is_padded():
    source = MemorySource({"train": [[(0, noise(0, 1.5)), (4, noise(1, 1.5))]]})
    batch = take(pair_batches(source, PairConfig(crop_seconds=2.0), **TRAIN), 1)[0]
    assert batch["context"].shape == (4, 64_000)
    assert batch["context"][:, :48_000].any() and not batch["context"][:, 48_000:].any()


def test_row_r_of_step_s_is_pair_s_times_b_plus_r(songs):
    table = songs.index("train")
    batches = take(pair_batches(songs, SECOND, **TRAIN), 4)
    for step, batch in enumerate(batches):
        for row in range(4):
            epoch, k = divmod(4 * step + row, 5)
            d = draw(table, 3, epoch, k, SECOND)
            context, target = read_pair(songs, table, d)
            np.testing.assert_array_equal(batch["context"][row], context)
            np.testing.assert_array_equal(batch["target"][row], target)
            assert batch["instrument"][row] == d.instrument
    assert batches[0]["instrument"].dtype == np.int32


@pytest.mark.parametrize(
    "loader", [Loader.NUMPY, pytest.param(Loader.TF, marks=pytest.mark.slow)]
)
def test_resume_and_processes_give_the_same_rows(songs, loader):
    straight = take(pair_batches(songs, SECOND, **TRAIN), 5)
    resumed = take(pair_batches(songs, SECOND, **TRAIN, start_step=2, loader=loader), 3)
    halves = [
        take(
            pair_batches(
                songs,
                SECOND,
                **TRAIN,
                process_index=p,
                process_count=2,
                loader=loader,
            ),
            3,
        )
        for p in range(2)
    ]
    for step in range(3):
        assert_same(straight[step + 2], resumed[step])
        joined = {
            name: np.concatenate([halves[p][step][name] for p in range(2)])
            for name in straight[step]
        }
        assert_same(straight[step], joined)


def test_a_batch_that_does_not_divide_is_refused(songs):
    with pytest.raises(ValueError, match="batch 4 must divide over 3 processes"):
        pair_batches(songs, SECOND, **TRAIN, process_count=3)


def test_evaluation_is_finite_padded_and_has_other_songs(songs):
    settings = {"split": "validation", "count": 10, "batch_size": 4, "seed": 0}
    batches = list(pair_eval_batches(songs, SECOND, **settings))
    assert len(batches) == 3
    np.testing.assert_array_equal(
        np.concatenate([b["is_valid"] for b in batches]), [True] * 10 + [False] * 2
    )
    np.testing.assert_array_equal(
        np.concatenate([b["row"] for b in batches]), range(12)
    )
    for name in ("context", "target", "other_context", "instrument"):
        assert not batches[2][name][2:].any()
    plain = take(
        pair_batches(songs, SECOND, split="validation", batch_size=4, seed=0), 2
    )
    for batch, own in zip(batches, plain, strict=False):
        assert_same({name: batch[name] for name in own}, own)
    again = list(pair_eval_batches(songs, SECOND, **settings))
    halves = [
        list(
            pair_eval_batches(
                songs, SECOND, **settings, process_index=p, process_count=2
            )
        )
        for p in range(2)
    ]
    for batch, same, left, right in zip(batches, again, *halves, strict=True):
        assert_same(batch, same)
        both = {n: np.concatenate([left[n], right[n]]) for n in batch}
        assert_same(batch, both)


def test_the_other_context_comes_from_another_song():
    # song n holds samples of the value 100 n + ..: every mix tells its song
    split = [
        [(c, np.full(64_000, value, np.int16)) for c in (0, 4)]
        for value in (100, 200, 400)
    ]
    source = MemorySource({"validation": split})
    seen = set()
    settings = {"split": "validation", "count": 30, "batch_size": 10, "seed": 1}
    for batch in pair_eval_batches(source, SECOND, **settings):
        for row in range(10):
            own = (100, 200, 400)[batch["song"][row]]
            assert batch["context"][row, 0] == own
            other = int(batch["other_context"][row, 0])
            assert other in {100, 200, 400} - {own}
            seen.add((own, other))
    assert len(seen) == 6
    alone = MemorySource({"validation": split[:1]})
    assert "other_context" not in next(pair_eval_batches(alone, SECOND, **settings))


def test_mixtures_follow_their_weights():
    low, high = (
        MemorySource(
            {"train": [[(c, np.full(64_000, v, np.int16)) for c in (0, 4)]] * n}
        )
        for v, n in ((100, 1), (300, 4))
    )
    mixed = Mixture((low, high), (1.0, 3.0))
    settings = {"split": "train", "batch_size": 50, "seed": 0}
    tiny = PairConfig(crop_seconds=0.1)
    made = take(pair_batches(mixed, tiny, **settings), 8)
    values = np.concatenate([b["target"][:, 0] for b in made])
    # 300 of 400 expected, standard deviation 8.7
    assert abs(int((values == 300).sum()) - 300) < 44
    # within an epoch of a source's own length a segment comes at most once
    pool = pair_pool(mixed, tiny, "train", 0)
    places = [pool.place(i) for i in range(400)]
    own = [p for p in places if p.source == 1]
    assert len(set(own)) == len(own)
    evaluated = next(pair_eval_batches(mixed, tiny, **settings, count=50))
    assert set(evaluated["song"][evaluated["target"][:, 0] == 100]) == {0}
    assert set(evaluated["song"][evaluated["target"][:, 0] == 300]) == {1, 2, 3, 4}


@pytest.mark.slow
def test_a_mixture_is_the_same_through_tf(songs):
    mixed = Mixture((songs, SyntheticSet(1, songs=(2, 0, 0), seconds=3.0)), (1.0, 3.0))
    assert_same(
        next(pair_batches(mixed, SECOND, **TRAIN, start_step=7)),
        next(pair_batches(mixed, SECOND, **TRAIN, start_step=7, loader=Loader.TF)),
    )


def test_mixtures_name_their_content_and_refuse_nonsense(songs):
    empty = MemorySource({})
    pairs = Mixture((songs, empty), (1.0, 9.0))
    assert_same(  # a set without the split takes no share
        next(pair_batches(pairs, SECOND, **TRAIN)),
        next(pair_batches(songs, SECOND, **TRAIN)),
    )
    hashes = {
        Mixture((songs, empty), w).content_hash for w in ((1.0, 9.0), (1.0, 8.0))
    } | {Mixture((empty, songs), (1.0, 9.0)).content_hash}
    assert len(hashes) == 3
    with pytest.raises(UserError, match="weights of data sets must be positive"):
        Mixture((songs,), (0.0,))
    with pytest.raises(UserError, match="1 data sets need as many weights, got 2"):
        Mixture((songs,), (1.0, 1.0))
    with pytest.raises(UserError, match="train: no segment has two stems"):
        pair_batches(empty, SECOND, **TRAIN)


def test_an_error_surfaces_at_its_place():
    def row(index):
        if index == 5:
            raise UserError("record 5 is damaged")
        return {"x": np.int32(index)}

    batches = endless(row, batch_size=2)
    assert [next(batches)["x"].tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(UserError, match="record 5"):
        next(batches)
    assert list(in_threads(lambda n: n * n, range(9))) == [n * n for n in range(9)]
    assert [b["x"].tolist() for b in finite(row, count=3, batch_size=2)] == [
        [0, 1],
        [2, 0],
    ]


def test_crops_are_stems_submixes_and_full_mixes(songs):
    table = songs.index("train")
    settings = {"crop_seconds": 1.0, "batch_size": 20, "seed": 5}
    batches = take(codec_batches(songs, **settings), 4)
    kinds = {"target": 0, "context": 0, "all": 0}
    for index, crop in enumerate(np.concatenate([b["audio"] for b in batches])):
        d = draw(table, 5, *divmod(index, 5), SECOND)
        stems = range(*table.stem_offset[d.segment : d.segment + 2])
        cut = slice(d.start, d.start + d.samples)
        choices = {"target": (d.target,), "context": d.context, "all": tuple(stems)}
        mixes = {
            kind: sum(whole(songs, table, s, 384_000)[cut] for s in chosen)
            for kind, chosen in choices.items()
        }
        matches = [kind for kind, mix in mixes.items() if np.array_equal(crop, mix)]
        assert matches
        kinds[matches[0]] += 1
    # 40, 20, 20 of 80 expected; five standard deviations of the first are 22
    assert abs(kinds["target"] - 40) < 22 and min(kinds.values()) > 2
    resumed = next(codec_batches(songs, **settings, start_step=3))
    np.testing.assert_array_equal(resumed["audio"], batches[3]["audio"])


def test_evaluation_crops_are_the_same_each_time(songs):
    settings = {
        "crop_seconds": 0.5,
        "split": "validation",
        "batch_size": 3,
        "count": 5,
        "seed": 0,
    }
    first, second = (list(codec_eval_batches(songs, **settings)) for _ in range(2))
    for left, right in zip(first, second, strict=True):
        assert_same(left, right)
    assert [b["is_valid"].tolist() for b in first] == [[True] * 3, [True, True, False]]
    assert first[0]["audio"].shape == (3, 16_000) and not first[1]["audio"][2].any()

"""Evaluation pairs: the prefix property, what is drawn, what is read, what is refused."""

import collections
import dataclasses

import numpy as np
import pytest

from stemjax.config.categories import CATEGORIES
from stemjax.data.drawing import evaluation_pairs
from stemjax.data.drawing.evaluation_pairs import (
    make_pairs,
    read_manifest,
    read_pair,
    to_lines,
)
from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.io.errors import UserError


@pytest.fixture(scope="module")
def source():
    return SyntheticSet(seed=0)


def made(source, count=200, seed=0, seconds=2.0):
    return make_pairs(
        source, split="train", count=count, seed=seed, crop_seconds=seconds
    )


def test_fewer_rows_are_the_first_of_more(source):
    rows = made(source)
    assert made(source, 40) == rows[:40]
    assert made(source, 40, seed=1) != rows[:40]
    assert [row.id for row in rows[:3]] == ["00000", "00001", "00002"]
    assert len({row.seed for row in rows}) == len(rows)


def test_songs_are_uniform_and_stems_belong_to_their_segment(source):
    table = source.index("train")
    rows = made(source, 600)
    songs = collections.Counter(row.song for row in rows)
    assert songs.keys() == set(table.songs)
    expected = len(rows) / len(table.songs)
    # five standard deviations of a binomial count
    assert all(abs(n - expected) < 5 * expected**0.5 for n in songs.values())
    for row in rows:
        first, last = table.stem_offset[row.segment : row.segment + 2]
        assert table.songs[table.segment_song[row.segment]] == row.song
        assert row.target not in row.context and len(set(row.context)) > 0
        assert max(*row.context, row.target) < last - first
        assert CATEGORIES[table.stem_category[first + row.target]] == row.category
        assert 0 <= row.start <= table.segment_samples[row.segment] - row.samples


def test_silent_stems_and_unknown_categories_are_no_targets(source):
    table = source.index("train")
    level = table.stem_rms_db.copy()
    category = table.stem_category.copy()
    quiet, unknown = table.stem_offset[:-1], table.stem_offset[:-1] + 1
    level[quiet] = -120
    category[unknown] = -1
    changed = dataclasses.replace(table, stem_rms_db=level, stem_category=category)

    class Changed:
        content_hash = "x"

        def index(self, split):
            return changed

    rows = made(Changed(), 300)
    assert not any(row.target in (0, 1) for row in rows)
    assert not any(row.context == (0,) for row in rows)  # the mix sounds
    assert any(1 in row.context for row in rows)  # unknown may be context


def test_rows_survive_the_file_and_give_the_audio_of_their_stems(source, tmp_path):
    rows = made(source, 20)
    path = tmp_path / "manifest.jsonl"
    path.write_text(to_lines(rows))
    assert read_manifest(path) == rows
    row = rows[3]
    context, target = read_pair(source, row)
    assert context.shape == target.shape == (row.samples,)
    assert context.dtype == target.dtype == np.float32
    table = source.index("train")
    first = table.stem_offset[row.segment]
    ten = 320_000

    def stem(number):
        count = -(-int(table.segment_samples[row.segment]) // ten)
        start = int(table.stem_record[first + number])
        whole = source.read(np.arange(start, start + count)).reshape(-1)
        return whole[row.start : row.start + row.samples].astype(np.float64)

    wanted = sum(stem(number) for number in row.context)
    peak = max(np.abs(wanted).max(), np.abs(stem(row.target)).max(), 32_767)
    gain = 32_767 / peak / 32_768
    # half a step of int16 at full scale, for the peak's sign
    np.testing.assert_allclose(context, wanted * gain, atol=1.6e-5)
    np.testing.assert_allclose(target, stem(row.target) * gain, atol=1.6e-5)


def test_a_manifest_of_another_version_stays_readable(tmp_path):
    """A row as it was written when pairs were accepted by their mean level."""
    path = tmp_path / "manifest.jsonl"
    path.write_text(
        '{"category": "bass", "context": [0, 2], "data": "ab", "id": "00000", "redraws":'
        ' 0, "samples": 64000, "seed": 7, "segment": 3, "song": "s", "split": "test",'
        ' "start": 5, "target": 1}\n'
    )
    (row,) = read_manifest(path)
    assert (row.song, row.target, row.context, row.start) == ("s", 1, (0, 2), 5)
    assert to_lines([row]) == path.read_text()


def test_faults(source, tmp_path):
    with pytest.raises(UserError, match="no such file; make it with"):
        read_manifest(tmp_path / "none.jsonl")
    path = tmp_path / "bad.jsonl"
    path.write_text(to_lines(made(source, 1)) + '{"id": 1}\n')
    with pytest.raises(UserError, match="line 2: field song: missing; make it with"):
        read_manifest(path)
    other = dataclasses.replace(made(source, 1)[0], data="0" * 64)
    with pytest.raises(UserError, match="pair 00000 is of data 000000000000"):
        read_pair(source, other)
    for change in ({"segment": 10**6}, {"target": 99}, {"context": (0, 99)}):
        absent = dataclasses.replace(made(source, 1)[0], **change)
        with pytest.raises(UserError, match="names a segment or stem that the data"):
            read_pair(source, absent)


def test_the_hash_is_of_the_rows(source):
    rows = made(source, 3)
    digest = evaluation_pairs.manifest_hash(rows)
    assert digest == evaluation_pairs.manifest_hash(made(source, 3))
    assert digest != evaluation_pairs.manifest_hash(rows[:2])

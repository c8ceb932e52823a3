"""Stems of other songs and labelled clips: whose they are, that they sound, prefixes."""

import collections
import dataclasses

import numpy as np
import pytest

from stemjax.config.categories import CATEGORIES
from stemjax.data.drawing.draw import mix_db
from stemjax.data.drawing.evaluation_pairs import make_pairs, read_pair
from stemjax.data.drawing.evaluation_stems import labelled_clips, mismatched
from stemjax.data.prepared.segments import RECORD_SAMPLES
from stemjax.data.prepared.synthetic import BASS, SyntheticSet
from stemjax.io.errors import UserError


@pytest.fixture(scope="module")
def source():
    return SyntheticSet(seed=0)


class Changed:
    """A set whose tables were changed."""

    def __init__(self, source, **fields):
        self.content_hash, self.read, self._source = (
            source.content_hash,
            source.read,
            source,
        )
        self._fields = fields

    def index(self, split):
        return dataclasses.replace(self._source.index(split), **self._fields)


def pairs_of(source, count=40):
    return make_pairs(source, split="train", count=count, seed=0, crop_seconds=2.0)


def test_a_mismatched_stem_is_of_the_category_and_of_another_song(source):
    pairs = pairs_of(source)
    table = source.index("train")
    found = mismatched(source, pairs, seed=0)
    for pair, other in zip(pairs, found, strict=True):
        assert other.song != pair.song
        assert (other.id, other.category, other.seed) == (
            pair.id,
            pair.category,
            pair.seed,
        )
        row = int(table.stem_offset[other.segment]) + other.target
        assert CATEGORIES[table.stem_category[row]] == pair.category
        level = mix_db(table, np.array([row]), other.start, other.samples)
        assert np.mean(level > -60) >= 0.5  # as a target, A19
        context, stem = read_pair(source, other)
        assert not context.any() and len(stem) == pair.samples
        assert np.sqrt(np.mean(stem**2)) > 1e-4
    assert mismatched(source, pairs[5:9], seed=0) == found[5:9]
    assert mismatched(source, pairs, seed=1) != found


def test_where_no_other_song_has_the_category_there_is_none(source):
    table = source.index("train")
    category = table.stem_category.copy()
    basses = np.flatnonzero(category == BASS)
    category[basses[1:]] = -1
    pairs = pairs_of(source)
    found = mismatched(Changed(source, stem_category=category), pairs, seed=0)
    only = table.songs[table.segment_song[0]]
    for pair, other in zip(pairs, found, strict=True):
        if pair.category == CATEGORIES[BASS]:
            assert (other is None) == (pair.song == only)
    assert None in found


def test_labelled_clips_are_the_stems_records(source):
    table = source.index("train")
    found = list(labelled_clips(source, "train", per_category=3, seed=0))
    counts = collections.Counter(clip.category for clip in found)
    there = collections.Counter(table.stem_category.tolist())
    assert counts == {c: min(3, n) for c, n in there.items()}
    records = source.read(table.stem_record)
    for clip in found:
        assert len(clip.audio) == RECORD_SAMPLES and clip.rate == 32_000
        (row,) = np.flatnonzero((records / 32_768 == clip.audio).all(axis=1))
        assert table.stem_category[row] == clip.category
    more = list(labelled_clips(source, "train", per_category=5, seed=0))
    for category in counts:
        few, many = (
            [c.song for c in clips if c.category == category] for clips in (found, more)
        )
        assert many[: len(few)] == few


def test_what_is_silent_or_unknown_is_no_labelled_clip(source):
    table = source.index("train")
    level = table.stem_rms_db.copy()
    level[0] = -120
    category = table.stem_category.copy()
    category[1] = -1
    changed = Changed(source, stem_rms_db=level, stem_category=category)
    found = list(labelled_clips(changed, "train", per_category=99, seed=0))
    assert len(found) == len(table.stem_category) - 2
    empty = Changed(source, stem_rms_db=np.full_like(level, -120))
    with pytest.raises(UserError, match="no labelled stem sounds"):
        list(labelled_clips(empty, "train", per_category=1, seed=0))

"""Crops for codecs: songs of one stem beside songs of several."""

import numpy as np
import pytest

from stemjax.config.streams import Stream
from stemjax.config.train import PairConfig
from stemjax.data.drawing.crops import codec_batches, codec_eval_batches
from stemjax.data.drawing.draw import epoch_order, usable
from stemjax.data.prepared.segments import SAMPLE_RATE
from stemjax.io.errors import UserError
from stemjax.io.random import generator
from tests.data.tables import MemorySource, draw

SECOND = PairConfig(crop_seconds=1.0)
UNKNOWN, BASS, DRUMS = -1, 4, 16


def noise(seed, seconds):
    rng = np.random.default_rng(seed)
    return rng.integers(-8000, 8000, seconds * SAMPLE_RATE).astype(np.int16)


def test_a_song_of_one_stem_gives_crops_of_itself():
    # A recording of unknown category, 12 s, silent but for its seconds 4 to 7.
    lone = noise(0, 12)
    lone[: 4 * SAMPLE_RATE] = 0
    lone[7 * SAMPLE_RATE :] = 0
    silent = np.zeros_like(lone)
    data = MemorySource({"train": [[(UNKNOWN, lone)], [(UNKNOWN, silent)]]})
    settings = {"crop_seconds": 1.0, "batch_size": 8, "seed": 0}
    crops = next(codec_batches(data, **settings))["audio"]
    assert crops.shape == (8, SAMPLE_RATE)
    starts = set()
    for crop in crops:
        # Every crop is a piece of the recording, and half of it or more sounds.
        first = np.flatnonzero(crop)[0]
        heard = crop[first : first + 9].tobytes()
        place = lone.tobytes().index(heard) // 2 - int(first)
        np.testing.assert_array_equal(crop, lone[place : place + SAMPLE_RATE])
        assert np.count_nonzero(crop) > 0.45 * SAMPLE_RATE
        starts.add(place)
    assert len(starts) == 8
    fixed = next(codec_eval_batches(data, split="train", count=8, **settings))
    np.testing.assert_array_equal(fixed["audio"], crops)


def test_songs_of_one_stem_leave_the_others_draws_as_they_were():
    songs = [[(DRUMS, noise(n, 8)), (BASS, noise(n + 9, 8))] for n in range(3)]
    settings = {"crop_seconds": 1.0, "batch_size": 12, "seed": 3}
    several = MemorySource({"train": songs})
    crops = next(codec_batches(several, **settings))["audio"]
    table = several.index("train")
    for index, crop in enumerate(crops):
        made = draw(table, 3, *divmod(index, 3), SECOND)
        cut = slice(made.start, made.start + made.samples)
        drums, bass = (stem[cut] for _, stem in songs[made.segment])
        assert any(np.array_equal(crop, mix) for mix in (drums, bass, drums + bass))
    # With a lone one among them, an epoch visits it once, in the order of four.
    both = MemorySource({"train": [*songs, [(UNKNOWN, noise(30, 8))]]})
    lone = noise(30, 8)
    crops = next(codec_batches(both, **settings))["audio"]
    table = both.index("train")
    np.testing.assert_array_equal(usable(table, SECOND).segments, [0, 1, 2])
    for epoch in range(3):
        k = int(np.flatnonzero(epoch_order(4, 3, epoch) == 3)[0])
        rng = generator(3, Stream.DATA_PAIR, epoch, k)
        start = int(rng.integers(0, 7 * SAMPLE_RATE + 1))
        np.testing.assert_array_equal(
            crops[4 * epoch + k], lone[start : start + SAMPLE_RATE]
        )


def test_nothing_that_sounds_is_said_in_one_line():
    data = MemorySource({"train": [[(UNKNOWN, np.zeros(64_000, np.int16))]]})
    with pytest.raises(UserError, match="^train: no segment sounds for 0.5 s or more"):
        next(codec_batches(data, crop_seconds=1.0, batch_size=2, seed=0))

"""Draws of every stream stay what they were; no two purposes share one."""

import collections

import numpy as np
import pytest

from stemjax.config.streams import Layout, Stream
from stemjax.io.random import generator


def test_no_two_streams_share_a_number():
    for layout in Layout:
        numbers = [s.number for s in Stream if s.layout is layout]
        assert len(numbers) == len(set(numbers)), layout
    assert len(Stream.__members__) == len(Stream)


def test_published_draws_stay():
    """First draws below 2^32 of the generators that wrote published files."""
    draws = {
        (7, Stream.DATA_PAIR, 1, 2): np.random.SeedSequence((1, 7, 1, 2)),
        (7, Stream.EXAMPLE_PAIR, 3): np.random.SeedSequence((6, 7, 3)),
        (1, Stream.SYNTHETIC_SONG, 5): np.random.SeedSequence((0x5EED, 1, 5)),
    }
    for arguments, sequence in draws.items():
        expected = np.random.Generator(np.random.Philox(sequence)).integers(2**32)
        assert generator(*arguments).integers(2**32) == expected
    for number, stream in enumerate(
        (
            Stream.JACKKNIFE_GROUPS,
            Stream.FAD_SUBSETS,
            Stream.KAD_BANDWIDTH,
            Stream.KAD_VECTORS,
            Stream.SWEEP_DEAL,
            Stream.APA_DERANGEMENT,
        ),
        start=1,
    ):
        bits = np.random.Philox(key=[9, number])
        expected = np.random.Generator(bits).integers(2**32)
        assert generator(9, stream).integers(2**32) == expected
    bits = np.random.Philox(key=[9, 0], counter=[0, 0, 0, 3])
    expected = np.random.Generator(bits).integers(2**32)
    assert generator(9, Stream.MIRDD_SWAPS).integers(2**32) == expected
    bits = np.random.Philox(key=[9, 41], counter=[0, 0, 0, 2])
    expected = np.random.Generator(bits).integers(2**32)
    assert generator(9, Stream.CLIP_SOUNDS, 41).integers(2**32) == expected


def test_streams_of_a_seed_differ():
    first = collections.Counter(
        generator(0, s, *(() if s.layout in (Layout.KEY, Layout.COUNTER) else (1,)))
        .integers(2**63)
        .item()
        for s in Stream
        if s.layout is not Layout.INDEXED
    )
    assert set(first.values()) == {1}


def test_a_stream_refuses_numbers_that_it_does_not_take():
    with pytest.raises(ValueError, match="JACKKNIFE_GROUPS does not take 1"):
        generator(0, Stream.JACKKNIFE_GROUPS, 3)
    with pytest.raises(ValueError, match="CLIP_MUSIC does not take 0"):
        generator(0, Stream.CLIP_MUSIC)

"""The one way to sum tracks: in order, with one gain if the sum clips."""

import numpy as np

from stemjax.io.audio import sum_with_one_gain


def test_a_sum_is_scaled_only_if_it_clips():
    quiet = sum_with_one_gain([np.float32([0.5, -0.2]), np.float32([0.2, 0.1])])
    np.testing.assert_allclose(quiet.audio, [0.7, -0.1], rtol=1e-6)
    np.testing.assert_array_equal(quiet.audio, quiet.total)
    assert quiet.gain == 1.0
    loud = sum_with_one_gain([np.float32([1.5, 0.5]), np.float32([0.5, 0.1])])
    np.testing.assert_allclose(loud.audio, [1.0, 0.3], rtol=1e-6)
    np.testing.assert_allclose(loud.total, [2.0, 0.6], rtol=1e-6)
    assert loud.gain == 0.5


def test_tracks_are_added_in_float32_in_their_order():
    tracks = [np.random.default_rng(k).normal(size=(99, 2)) for k in range(4)]
    tracks = [track.astype(np.float32) for track in tracks]
    found = sum_with_one_gain(tracks)
    by_hand = tracks[0] + tracks[1] + tracks[2] + tracks[3]
    np.testing.assert_array_equal(found.total, by_hand)
    peak = np.abs(by_hand).max()
    np.testing.assert_array_equal(found.audio, by_hand / peak)
    assert found.gain == float(np.float32(1) / peak) and found.audio.dtype == np.float32
    before = tracks[0].copy()
    sum_with_one_gain(tracks[:1])
    np.testing.assert_array_equal(tracks[0], before)

"""Tracks sum to the mix, exactly; nothing clips."""

import numpy as np

from stemjax.session.mixing import mix_down, resample_to_length


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_tracks_sum_to_the_mix_in_their_order_and_stay_within_full_scale():
    context, stems = noise(0, 999, 2), [noise(k, 999) for k in (1, 2, 3)]
    tracks = mix_down(context, stems)
    by_hand = tracks.context.copy()
    for stem in tracks.stems:
        assert stem.shape == (999, 2)
        np.testing.assert_array_equal(stem[:, 0], stem[:, 1])
        by_hand = by_hand + stem
    np.testing.assert_array_equal(by_hand, tracks.mix)
    # rounding of the sum alone may pass 1, by less than float32's step there times four
    assert 0.99 < np.abs(tracks.mix).max() <= 1 + 2.0**-21
    np.testing.assert_allclose(tracks.context, tracks.gain * context, rtol=1e-6)
    np.testing.assert_allclose(tracks.stems[1][:, 0], tracks.gain * stems[1], rtol=1e-6)


def test_tracks_that_do_not_clip_are_unchanged():
    context = 0.1 * noise(0, 100, 1)
    tracks = mix_down(context, [0.1 * noise(1, 100)])
    assert tracks.gain == 1.0
    np.testing.assert_array_equal(tracks.context, context)
    alone = mix_down(np.zeros((10, 1)), [])
    assert alone.gain == 1.0 and not alone.mix.any()


def test_resampled_audio_has_the_given_length():
    time = np.arange(32_000) / 32_000
    audio = np.sin(2 * np.pi * 100 * time).astype(np.float32)
    for samples in (44_099, 44_100, 44_101):
        out = resample_to_length(audio, 32_000, 44_100, samples)
        assert out.shape == (samples,) and out.dtype == np.float32
    again = np.sin(2 * np.pi * 100 * np.arange(44_100) / 44_100)
    out = resample_to_length(np.stack([audio, -audio], axis=1), 32_000, 44_100, 44_100)
    # away from the ends, where the resampler's filter looks past them
    np.testing.assert_allclose(out[500:-500, 0], again[500:-500], atol=1e-4)
    np.testing.assert_array_equal(out[:, 0], -out[:, 1])

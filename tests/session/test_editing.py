"""Masks of edits, and splices of recording and regenerated frames."""

import numpy as np
import pytest

from stemjax.config.presets import CODEC_TINY
from stemjax.session import editing
from stemjax.session.editing import EditRequest, kept_mask, matching_gain, splice

CFG = CODEC_TINY.model
HOP, RATE = CFG.hop, CFG.sample_rate
FRAMES = 200  # 4 s


def kept(stem_seconds=4.0, stem=None, **request):
    stem = np.zeros(round(stem_seconds * RATE), np.float32) if stem is None else stem
    return kept_mask(EditRequest(**request), stem, FRAMES, CFG)


def test_a_part_a_prefix_and_a_continuation():
    part = kept(start=1.0, stop=2.5)
    assert part.shape == (CFG.num_codebooks, FRAMES)
    assert part[:, :50].all() and part[:, 125:].all() and not part[:, 50:125].any()
    prefix = kept(start=3.0)
    assert prefix[:, :150].all() and not prefix[:, 150:].any()
    longer = kept(stem_seconds=1.5, start=1.5)
    assert longer[:, :75].all() and not longer[:, 75:].any()
    # frames past the end of a shorter stem are always regenerated
    beyond = kept(stem_seconds=1.5, start=0.0, stop=0.5)
    assert not beyond[:, :25].any() and beyond[:, 25:75].all()
    assert not beyond[:, 75:].any()


def test_shares_levels_and_onsets_stay_inside_the_part():
    some = kept(start=1.0, stop=3.0, keep_fraction=0.3)
    assert some[:, :50].all() and some[0, 50:150].sum() == 30
    coarse = kept(keep_levels=1)
    assert coarse[0].all() and not coarse[1:].any()
    stem = np.zeros(4 * RATE, np.float32)
    hits = (0.5, 1.5, 3.0)
    for hit in hits:
        at = round(hit * RATE)
        decay = np.exp(-np.arange(RATE // 4) / 1000)
        stem[at : at + RATE // 4] += decay * np.sin(np.arange(RATE // 4) / 5)
    onsets = kept(stem=stem, keep_onsets=True)[0]
    assert 3 * 3 <= onsets.sum() <= 3 * 4
    for hit in hits:  # librosa's frames are 16 ms apart, ours 20
        assert onsets[round(hit * 50) - 1 : round(hit * 50) + 3].any()


@pytest.mark.parametrize(
    ("request_fields", "word"),
    [
        ({"start": 5.0}, "the context is 4.00 s"),
        ({"start": 2.0, "stop": 2.0}, "--from 2 --to 2 s"),
        ({"start": 1.0, "stop": 9.0}, "give a part of it"),
        ({"start": -1.0}, "start -1.0: give a number, 0 or more"),
        ({"keep_fraction": 1.5}, "give a number from 0 to 1"),
        ({"keep_levels": 9}, "not within 0.."),
        ({"keep_fraction": 1.0}, "nothing to change"),
        ({"keep_levels": CFG.num_codebooks}, "nothing to change"),
    ],
)
def test_impossible_edits_are_errors(request_fields, word):
    with pytest.raises(ValueError, match=word):
        kept(**request_fields)


def test_a_splice_fades_between_recording_and_regenerated_frames():
    """Of two constants the fade is a ramp: no step is larger than 1 / fade."""
    samples = FRAMES * HOP - 100
    is_new = np.zeros(FRAMES, bool)
    is_new[50:125] = True
    out = splice(np.zeros(samples), np.ones(samples), is_new, CFG)
    fade = round(editing.FADE_SECONDS * RATE)
    assert out.dtype == np.float32 and len(out) == samples
    assert (out[50 * HOP : 125 * HOP] == 1).all()
    assert not out[: 50 * HOP - fade].any() and not out[125 * HOP + fade :].any()
    assert np.abs(np.diff(out)).max() <= 1 / fade + 1e-6
    # fades lie in kept frames and are the same on both sides
    rise, fall = out[50 * HOP - fade : 50 * HOP], out[125 * HOP : 125 * HOP + fade]
    np.testing.assert_allclose(rise, fall[::-1], atol=1e-6)
    np.testing.assert_allclose(rise, (np.arange(fade) + 0.5) / fade, atol=1e-6)


def test_splices_of_all_of_nothing_and_of_a_shorter_stem():
    decoded = np.random.default_rng(0).normal(size=10 * HOP).astype(np.float32)
    given = np.zeros(10 * HOP, np.float32)
    everything, nothing = np.ones(10, bool), np.zeros(10, bool)
    np.testing.assert_array_equal(splice(given, decoded, everything, CFG), decoded)
    assert not splice(given, decoded, nothing, CFG).any()
    tail = np.arange(10) >= 4
    out = splice(given[: 4 * HOP], decoded, tail, CFG)
    np.testing.assert_array_equal(out[4 * HOP :], decoded[4 * HOP :])


def test_regenerated_frames_have_the_level_of_the_recording():
    decoded = np.random.default_rng(0).normal(size=100 * HOP).astype(np.float32)
    is_new = np.arange(100) >= 60
    given = 0.25 * decoded[: 80 * HOP]  # a session applied -12 dB
    given[60 * HOP :] = 9.0  # regenerated frames do not count
    assert matching_gain(given, decoded, is_new, CFG) == pytest.approx(0.25, rel=1e-6)
    assert matching_gain(0 * given, decoded, is_new, CFG) == 1.0
    assert matching_gain(given, decoded, np.ones(100, bool), CFG) == 1.0

"""Codes in use: counts made by hand, and a codec that is blind to a shift."""

import numpy as np
import pytest

from stemjax.config.codec import CodecConfig
from stemjax.eval.studies import code_use

CFG = CodecConfig(num_codebooks=2, codebook_size=8)
HOP = CFG.hop


def frame_numbers(audio):
    """Level 1: the sample at each frame's middle; level 2: always 5."""
    middles = audio[:, HOP // 2 :: HOP].astype("int32")
    return np.stack([middles, np.full_like(middles, 5)], axis=1)


def test_perplexity_and_use_of_codes_counted_by_hand():
    # frames 0 1 1 2 3 0 of a hop each; the first and the last are left out
    clip = np.repeat([0, 1, 1, 2, 3, 0], HOP).astype(np.float32)
    clip = np.append(clip, np.zeros(64, np.float32))
    one, two = code_use.code_use(frame_numbers, CFG, [clip])
    # of 1 1 2 3: entropy 1.5 bits
    assert one.perplexity == pytest.approx(2**1.5) and one.used == 3
    assert two.perplexity == pytest.approx(1.0) and two.used == 1
    # the middles lie 320 samples from the frames' ends: 64 move none of them
    assert one.kept == two.kept == 1.0 and (one.level, two.level) == (1, 2)


def test_codes_of_single_samples_do_not_survive_a_shift():
    def signs(audio):
        first = (audio[:, ::HOP] > 0).astype("int32")
        return np.stack([first, first], axis=1)

    clip = np.random.default_rng(0).normal(size=400 * HOP).astype(np.float32)
    one, _ = code_use.code_use(signs, CFG, [clip])
    assert one.kept == pytest.approx(0.5, abs=0.1)  # 4 sigma of 398 coins
    assert one.perplexity == pytest.approx(2.0, abs=0.05)


def test_clips_add_up_and_too_short_ones_are_refused():
    clips = [np.full(4 * HOP + 64, code, np.float32) for code in (1, 2)]
    one, _ = code_use.code_use(frame_numbers, CFG, clips)
    assert one.perplexity == pytest.approx(2.0)
    with pytest.raises(ValueError, match="a clip of 1900 samples has no inner frames"):
        code_use.code_use(frame_numbers, CFG, [np.zeros(1900, np.float32)])
    with pytest.raises(ValueError, match="no clip"):
        code_use.code_use(frame_numbers, CFG, [])


def test_markdown():
    level = code_use.LevelUse(level=1, perplexity=1234.5, used=2000, kept=0.876)
    assert code_use.markdown([level]).splitlines()[-1] == "| 1 | 1234 | 2000 | 0.88 |"

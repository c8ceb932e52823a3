"""Loudness: the standard's own test tone, and the rule of mixing by hand."""

import math

import numpy as np
import pytest

from stemjax.analysis.loudness import integrated_lufs
from stemjax.session.loudness import from_db, stem_gain_db

RATE = 48_000


def tone(decibels, seconds=3.0, hertz=997.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return 10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * time)


def test_a_full_scale_tone_is_minus_three_lufs():
    """BS.1770-4, annex 1: 997 Hz at 0 dBFS in one channel reads -3.01; EBU's meters
    are allowed 0.1 LU."""
    assert integrated_lufs(tone(0.0), RATE) == pytest.approx(-3.01, abs=0.1)
    both = np.stack([tone(-20.0), tone(-20.0)], axis=1)
    assert integrated_lufs(both, RATE) == pytest.approx(-20.0, abs=0.1)


def test_silence_is_below_the_gate():
    assert integrated_lufs(np.zeros(RATE), RATE) == -math.inf
    assert integrated_lufs(tone(-90.0), RATE) == -math.inf
    with pytest.raises(ValueError, match="less than 0.4 s"):
        integrated_lufs(np.ones(1000), RATE)


def test_a_stem_lies_three_below_its_context_and_moves_twelve_at_most():
    context = tone(-20.0)
    assert stem_gain_db(tone(-20.0), context, RATE) == pytest.approx(-3.0, abs=1e-6)
    assert stem_gain_db(tone(-30.0), context, RATE) == pytest.approx(7.0, abs=0.02)
    assert stem_gain_db(tone(-60.0), context, RATE) == 12.0
    assert stem_gain_db(tone(0.0), context, RATE) == -12.0
    assert stem_gain_db(np.zeros(RATE), context, RATE) == 0.0
    # from silence: -23 LUFS
    gain = stem_gain_db(tone(-20.0), np.zeros(RATE), RATE)
    mixed = from_db(gain) * tone(-20.0)
    assert integrated_lufs(mixed, RATE) == pytest.approx(-23.0, abs=0.02)

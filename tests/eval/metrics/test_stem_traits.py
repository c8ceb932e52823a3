"""Groove, drones, silence and loudness of stems that are known by construction."""

import math

import numpy as np
import pytest

from stemjax.analysis.audio import RATE
from stemjax.eval.metrics import stem_traits
from stemjax.eval.metrics.stem_traits import (
    distinct_pitches,
    groove,
    pitch_share,
    silent_share,
)

SECONDS = 10
PERIOD = 50.0  # frames per beat: 120 bpm


def rng(seed):
    return np.random.default_rng(seed)


def pattern(repeats, seed=0, length=200):
    """A random pattern of 4 beats, repeated: onset strength [length * repeats]."""
    one = np.maximum(rng(seed).standard_normal(length), 0) ** 2
    return np.tile(one, repeats).astype(np.float32)


def test_an_exact_repetition_has_groove_one():
    assert groove(pattern(5), PERIOD) == pytest.approx(1, abs=1e-9)


def test_groove_is_the_largest_correlation_of_the_lags():
    """By hand: a twin with np.corrcoef over the lags and their slack."""
    onsets = pattern(5) + 0.8 * rng(1).standard_normal(1000).astype(np.float32)
    lags = [*range(49, 52), *range(98, 103), *range(196, 205)]
    expected = max(np.corrcoef(onsets[:-k], onsets[k:])[0, 1] for k in lags)
    assert groove(onsets, PERIOD) == pytest.approx(expected, rel=1e-5)


def test_no_onsets_no_groove():
    assert groove(np.zeros(1000, np.float32), PERIOD) == 0
    assert groove(np.full(1000, 3, np.float32), PERIOD) == 0


def test_lags_longer_than_half_the_stem_do_not_count():
    onsets = pattern(2, length=200)  # it repeats after 4 beats, half of its length
    assert groove(onsets, PERIOD) == pytest.approx(1, abs=1e-9)
    assert groove(onsets[:390], PERIOD) < 0.5


def test_a_pattern_of_another_tempo_has_less_groove():
    assert groove(pattern(5), 43.0) < 0.35 < groove(pattern(5), PERIOD)


def test_the_commonest_pitch_s_share_of_the_sounding_time():
    notes = np.array([[0, 1, 60], [1, 2, 62], [2, 4, 60], [6, 7, 64]], float)
    assert pitch_share(notes) == pytest.approx(3 / 5)
    chord = np.array([[0, 2, 60], [1, 3, 64]], float)  # they sound for 3 s in all
    assert pitch_share(chord) == pytest.approx(2 / 3)
    twice = np.array([[0, 2, 60], [1, 3, 60]], float)  # overlap counts once
    assert pitch_share(twice) == 1
    assert math.isnan(pitch_share(np.zeros((0, 3))))


def test_distinct_pitches_per_ten_seconds():
    notes = np.array([[0, 1, 60], [1, 2, 62.2], [2, 4, 60], [3, 4, 64]], float)
    assert distinct_pitches(notes, 10.0) == 3
    assert distinct_pitches(notes, 5.0) == 6
    assert math.isnan(distinct_pitches(np.zeros((0, 3)), 10.0))


def test_a_frame_below_minus_60_db_is_silent():
    audio = np.full(RATE, 10 ** (-59 / 20), np.float32)
    audio[: RATE // 2] = 10 ** (-61 / 20)
    assert silent_share(audio, RATE) == pytest.approx(0.5)
    assert silent_share(np.zeros(RATE), RATE) == 1
    assert silent_share(np.ones(RATE), RATE) == 0


def tone(pitch, seconds=SECONDS, amplitude=0.2):
    t = np.arange(seconds * RATE) / RATE
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    return sum(
        amplitude / k * np.sin(2 * np.pi * hertz * k * t) for k in (1, 2, 3)
    ).astype(np.float32)


def melody(seed=0, beat=0.5):
    """A bar of 4 notes at 120 bpm that repeats."""
    fade = np.exp(-np.arange(int(beat * RATE)) / (0.2 * RATE)).astype(np.float32)
    bar = [
        tone(pitch, 1)[: int(beat * RATE)] * fade
        for pitch in rng(seed).choice(np.arange(55, 72), 4, replace=False)
    ]
    return np.tile(np.concatenate(bar), int(SECONDS / (4 * beat)))


def test_stand_ins_are_told_apart():
    """A repeated bar, a drone, noise, the bar in pieces, silence."""
    bar = melody()
    cuts = np.sort(rng(2).choice(len(bar), 60, replace=False))
    pieces = np.split(bar, cuts)
    shuffled = np.concatenate([pieces[k] for k in rng(3).permutation(len(pieces))])
    noise = 0.1 * rng(1).standard_normal(SECONDS * RATE).astype(np.float32)
    stems = [bar, tone(60), noise, shuffled, np.zeros_like(bar)]
    looped, drone, hiss, mixed_up, silence = stem_traits.stem_traits(stems)
    grooves = [groove(t.onsets, PERIOD) for t in (looped, mixed_up, drone, silence)]
    assert grooves[0] > 0.9 and grooves[1] < 0.6 and max(grooves[2:]) < 0.2
    assert grooves[3] == 0 and groove(hiss.onsets, PERIOD) < 0.25
    assert pitch_share(drone.notes) > stem_traits.DRONE_SHARE
    assert pitch_share(looped.notes) < 0.5
    assert distinct_pitches(drone.notes, SECONDS) < distinct_pitches(
        looped.notes, SECONDS
    )
    assert len(hiss.notes) == len(silence.notes) == 0
    assert silence.silent_share == 1 and silence.lufs == -math.inf
    assert looped.silent_share == 0 and -40 < looped.lufs < -10


def test_a_clip_of_odd_length_has_no_silent_padding():
    (traits,) = stem_traits.stem_traits([tone(60)[: 3 * RATE + RATE // 2]])
    assert traits.silent_share == 0


def test_beat_frames_is_the_median_interval():
    assert stem_traits.beat_frames(np.array([0, 0.5, 1.0, 1.6])) == pytest.approx(50)

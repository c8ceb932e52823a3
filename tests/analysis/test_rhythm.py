"""Beats of click tracks, the dynamic programme against brute force, meters."""

import itertools

import jax
import librosa
import numpy as np
import pytest

from stemjax.analysis import rhythm
from stemjax.analysis.analysis import METERS, NO_METER
from stemjax.analysis.percussion import FRAME_RATE, SAMPLE_RATE

SECONDS = 12


def _rng(seed):
    return np.random.Generator(np.random.Philox(key=seed))


def _clicks(times, seconds=SECONDS):
    audio = np.zeros(seconds * SAMPLE_RATE, np.float32)
    click = _rng(3).standard_normal(400) * np.exp(-np.arange(400) / 60)
    for time in times:
        first = round(time * SAMPLE_RATE)
        part = audio[first : first + len(click)]
        part += 0.3 * click[: len(part)]
    return audio


def _beats_at(bpm, first=0.3):
    return np.arange(first, SECONDS - 0.1, 60 / bpm)


def f_measure(reference, estimate, tolerance=0.07):
    """F of the largest one-to-one matching of sorted times, as in mir_eval.beat."""
    hits = i = j = 0
    while i < len(reference) and j < len(estimate):
        if abs(reference[i] - estimate[j]) <= tolerance:
            hits, i, j = hits + 1, i + 1, j + 1
        elif reference[i] < estimate[j]:
            i += 1
        else:
            j += 1
    return 2 * hits / max(1, len(reference) + len(estimate))


def _analyse(audio):
    batch = jax.device_get(rhythm.analyse_rhythm_batch(audio[None]))
    return jax.tree.map(lambda field: field[0], batch)


def test_f_measure_of_hand_cases():
    assert f_measure([1, 2, 3], [1.05, 2.05, 3.05]) == 1
    assert f_measure([1, 2, 3], [1.08, 2.08, 3.08]) == 0
    assert f_measure([1, 2, 3, 4], [1, 3]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("bpm", [70, 84, 97, 115, 128, 150, 163])
def test_clicks_give_their_beats(bpm):
    truth = _beats_at(bpm)
    found = _analyse(_clicks(truth))
    times = rhythm.beat_times(found)
    assert f_measure(truth, times) >= 0.97
    assert 6000 / found.period == pytest.approx(bpm, rel=0.01)
    assert f_measure(truth, times + 30 / bpm) < 0.1  # what off-beats would score


@pytest.mark.parametrize(
    ("bpm", "heard"), [(45, 90), (60, 60), (180, 90), (200, 100), (230, 115)]
)
def test_far_from_the_prior_the_tempo_is_halved_or_doubled(bpm, heard):
    period = _analyse(_clicks(_beats_at(bpm))).period
    assert 6000 / period == pytest.approx(heard, rel=0.01)


def test_beats_between_eighths_of_the_same_level_follow_the_prior():
    truth = _beats_at(100)
    audio = _clicks(np.sort(np.concatenate([truth, truth + 0.3])))
    assert 6000 / _analyse(audio).period in (
        pytest.approx(100, rel=0.01),
        pytest.approx(200, rel=0.01),
    )


def test_beats_follow_a_drift_of_tempo():
    gaps = 60 / np.linspace(112, 124, 21)
    truth = 0.3 + np.concatenate([[0], np.cumsum(gaps)])
    assert f_measure(truth, rhythm.beat_times(_analyse(_clicks(truth)))) >= 0.97


def test_silence_has_no_beats_and_no_meter():
    found = _analyse(np.zeros(SECONDS * SAMPLE_RATE, np.float32))
    assert rhythm.beat_times(found).shape == (0,)
    assert rhythm.beats_per_bar(found, np.zeros((SECONDS * 20, 12))) == NO_METER
    assert int(found.percussive_density) == 0
    assert np.isfinite(found.period)


def test_a_batch_is_its_clips_one_by_one():
    audio = np.stack([_clicks(_beats_at(bpm)) for bpm in (80, 110, 140)])
    together = jax.device_get(rhythm.analyse_rhythm_batch(audio))
    for i, clip in enumerate(audio):
        alone = _analyse(clip)
        np.testing.assert_array_equal(together.is_beat[i], alone.is_beat)
        np.testing.assert_allclose(together.period[i], alone.period, rtol=1e-5)
        assert together.percussive_density[i] == alone.percussive_density
        np.testing.assert_allclose(together.band_flux[i], alone.band_flux, atol=1e-5)


def _chain_score(strength, period, beats):
    steps = np.diff(beats)
    if np.any((steps < period / 2) | (steps > 2 * period)):
        return -np.inf
    return strength[list(beats)].sum() - 100 * (np.log(steps / period) ** 2).sum()


@pytest.mark.parametrize("seed", range(5))
def test_beats_are_the_best_of_all_chains(seed):
    """All subsets of the 12 frames with a novelty; in between it is 0."""
    frames = np.sort(_rng(seed).choice(400, 12, replace=False))
    strength = np.zeros(400, np.float32)
    strength[frames] = _rng(seed + 99).uniform(1, 20, 12)
    found = np.flatnonzero(rhythm.track_beats(strength, np.float32(50)))
    got = _chain_score(strength, 50, found)
    best = max(
        _chain_score(strength, 50, subset)
        for count in range(1, 13)
        for subset in itertools.combinations(frames, count)
    )
    # beats may also fall where nothing sounds, which the subsets leave out
    assert np.isfinite(got)
    assert got >= best - 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_beats_are_those_of_a_slow_twin(seed):
    strength = _rng(seed).gamma(0.3, size=500).astype(np.float32)
    period = 40.0 + 7.3 * seed
    scores, back = np.zeros(500), np.full(500, -1)
    for t in range(500):
        for before in range(max(0, t - 300), t):
            step = t - before
            if period / 2 <= step <= 2 * period:
                total = scores[before] - 100 * np.log(step / period) ** 2
                if total > max(0, scores[t]):
                    scores[t], back[t] = total, before
        scores[t] += strength[t]
    beats = [int(np.argmax(scores))]
    while back[beats[-1]] >= 0:
        beats.append(int(back[beats[-1]]))
    got = np.flatnonzero(rhythm.track_beats(strength, np.float32(period)))
    assert got.tolist() == beats[::-1]
    assert len(got) > 5


def test_beats_are_librosas_from_the_same_novelty():
    truth = _beats_at(100)
    strength = np.zeros(SECONDS * FRAME_RATE, np.float32)
    strength[np.round(truth * FRAME_RATE).astype(int)] = 1
    strength += _rng(5).uniform(0, 0.05, len(strength)).astype(np.float32)
    strength /= strength.std()
    _, theirs = librosa.beat.beat_track(
        onset_envelope=strength, sr=SAMPLE_RATE, hop_length=160, bpm=100, trim=False
    )
    ours = np.flatnonzero(rhythm.track_beats(strength, np.float32(60)))
    assert f_measure(theirs / FRAME_RATE, ours / FRAME_RATE, 0.021) >= 0.95


def _bars(meter, phase, num_beats=32):
    """A `Rhythm` and chroma: bass and a new chord on each bar's first beat."""
    period = 50
    frames = 20 + period * np.arange(num_beats)
    size = frames[-1] + 2 * period
    is_first = np.arange(num_beats) % meter == phase
    flux = _rng(meter).uniform(0, 0.2, (size, 3))
    flux[frames, 0] += np.where(is_first, 1.0, 0.3)
    flux[frames, 1] += np.where(is_first, 0.1, 0.8)
    chroma = np.zeros((size // 5 + 1, 12))
    bar = np.maximum(0, np.cumsum(is_first))
    which = bar[np.clip(np.searchsorted(frames, np.arange(len(chroma)) * 5) - 1, 0, 31)]
    chroma[np.arange(len(chroma)), which * 5 % 12] = 1
    is_beat = np.zeros(size, bool)
    is_beat[frames] = True
    return rhythm.Rhythm(is_beat, np.float32(period), flux, np.int32(0)), chroma


@pytest.mark.parametrize("meter", METERS)
@pytest.mark.parametrize("phase", [0, 2])
def test_accents_tell_the_meter(meter, phase):
    found, chroma = _bars(meter, phase)
    assert rhythm.beats_per_bar(found, chroma) == meter
    flat = np.ones_like(chroma)
    assert rhythm.beats_per_bar(found, flat) == meter  # by the bass drum
    silent = found._replace(band_flux=np.zeros_like(found.band_flux))
    assert rhythm.beats_per_bar(silent, chroma) == meter  # by the chords
    assert rhythm.beats_per_bar(silent, flat) == NO_METER


def test_fewer_than_eight_beats_have_no_meter():
    found, chroma = _bars(3, 0, num_beats=8)
    assert rhythm.beats_per_bar(found, chroma) == 3
    frames = np.flatnonzero(found.is_beat)
    found.is_beat[frames[-1]] = False
    assert rhythm.beats_per_bar(found, chroma) == NO_METER


def test_t_score_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    accents = _rng(11).standard_normal(20)
    expected = max(
        stats.ttest_ind(
            accents[np.arange(20) % 5 == p], accents[np.arange(20) % 5 != p]
        ).statistic
        for p in range(5)
    )
    assert rhythm._best_t_score(accents, 5) == pytest.approx(expected, rel=1e-6)

"""Notes from salience: pitches exact, onsets near, no ghosts; the decode by hand."""

import jax
import numpy as np
import pytest

from stemjax.analysis import notes, tonal
from stemjax.analysis.notes import NoteRule, decode_notes
from stemjax.eval.selftest import synthetic

RATE = notes.SAMPLE_RATE
SECONDS = 10
RULE = NoteRule(onset=0.5, sustain=0.3, max_gap=1, min_length=2)


def play(score, *, roll_off=1.0, decay=1.5, seconds=SECONDS, cents=0):
    """Notes [M, 3] -> audio [N]: ten harmonics k ** -roll_off that decay, k faster."""
    audio = np.zeros(seconds * RATE)
    for onset, offset, pitch in score:
        first, last = round(onset * RATE), round(offset * RATE)
        t = np.arange(last - first) / RATE
        hertz = 440 * 2 ** ((pitch + cents / 100 - 69) / 12)
        tone = sum(
            k**-roll_off
            * np.exp(-decay * t * k**0.5)
            * np.sin(2 * np.pi * k * hertz * t)
            for k in range(1, 11)
            if k * hertz < 7500
        )
        tone *= np.minimum(1, np.minimum(t / 0.005, (t[-1] - t) / 0.02))
        audio[first:last] += 0.1 * tone
    return audio.astype(np.float32)


def transcribe(*clips, batch=4):
    """Notes of each clip; silent ones fill the batch, for few shapes to compile."""
    silent = [np.zeros_like(clips[0])] * (batch - len(clips))
    audio = np.stack([*clips, *silent])
    frames = notes.analyse_notes_batch(audio, tonal.analyse_tonal_batch(audio))
    return [
        notes.salience_notes(jax.tree.map(lambda x, i=i: x[i], frames))
        for i in range(len(clips))
    ]


def melody(pitches, *, step=0.75, length=0.6, start=0.3):
    onsets = start + step * np.arange(len(pitches))
    return np.stack([onsets, onsets + length, pitches], axis=1)


def matches(score, found, seconds):
    """Number of notes found at their pitch within `seconds`, each used once."""
    left = [tuple(note) for note in found]
    count = 0
    for onset, _, pitch in score:
        near = [n for n in left if n[2] == pitch and abs(n[0] - onset) <= seconds]
        if near:
            left.remove(min(near, key=lambda n: abs(n[0] - onset)))
            count += 1
    return count


def onset_f(score, found, seconds=0.05):
    return 2 * matches(score, found, seconds) / max(len(score) + len(found), 1)


# 2 to 6 octaves above C1: E2 (lower tones are longer than a frame can tell) to C7.
@pytest.mark.parametrize("low", [40, 52, 64, 76])
@pytest.mark.parametrize("roll_off", [0.7, 1.0, 1.8])
def test_single_tones_come_back(low, roll_off):
    score = melody(low + np.array([0, 7, 3, 12, 5, 20, 1, 14, 10, 2, 9, 18]))
    (found,) = transcribe(play(score, roll_off=roll_off))
    np.testing.assert_array_equal(found[:, 2], score[:, 2])
    assert np.abs(found[:, 0] - score[:, 0]).max() <= 0.1
    assert np.all(found[:, 1] > found[:, 0] + 0.1)


def test_chords_come_back():
    chords = [(48, 55, 64), (45, 52, 60, 69), (50, 57, 65), (43, 59, 62, 67)]
    score = np.array(
        [(0.5 + 2 * i, 2.2 + 2 * i, p) for i, chord in enumerate(chords) for p in chord]
    )
    (found,) = transcribe(play(score, decay=0.4))
    assert len(found) == len(score) == matches(score, found, 0.1)
    # within a chord by pitch, for the offsets
    found = found[np.lexsort((found[:, 2], np.round(found[:, 0] / 2)))]
    np.testing.assert_array_equal(found[:, 2], score[:, 2])
    assert np.abs(found[:, 1] - score[:, 1]).max() <= 0.2


def test_a_bright_tone_has_no_octave_ghosts():
    """Its overtones fall as k ** -0.7 only; nine tones in ten stay alone."""
    pitches = np.arange(40, 88)
    scores = [melody(pitches[i::4]) for i in range(4)]
    founds = transcribe(*[play(score, roll_off=0.7) for score in scores])
    alone = 0
    for score, found in zip(scores, founds, strict=True):
        for onset, offset, pitch in score:
            sounding = found[(found[:, 0] < offset) & (found[:, 1] > onset + 0.05), 2]
            alone += list(sounding) == [pitch]
    assert alone >= 0.9 * len(pitches)


def test_silence_and_hiss_below_the_gate_have_no_notes():
    hiss = 1e-5 * np.random.Generator(np.random.Philox(1)).standard_normal(
        SECONDS * RATE, np.float32
    )
    for found in transcribe(np.zeros_like(hiss), hiss):
        assert found.shape == (0, 3)


def test_repeated_notes_are_separated():
    score = melody([64] * 12, step=0.5, length=0.45)
    (found,) = transcribe(play(score))
    np.testing.assert_array_equal(found[:, 2], score[:, 2])
    assert np.abs(found[:, 0] - score[:, 0]).max() <= 0.1


def test_level_does_not_matter():
    score = melody([60, 64, 67, 72, 55, 48, 64, 62, 60, 59])
    loud, quiet = transcribe(play(score), 0.05 * play(score))
    np.testing.assert_array_equal(loud, quiet)
    assert onset_f(score, loud) == 1


@pytest.mark.parametrize("cents", [-40, -20, 20, 40])
def test_tuning_is_taken_out(cents):
    score = melody([60, 64, 67, 72, 55, 48, 64, 62, 60, 59, 81, 76])
    (found,) = transcribe(play(score, cents=cents))
    np.testing.assert_array_equal(found[:, 2], score[:, 2])


def test_a_batch_is_one_by_one():
    clips = [
        play(melody([60, 64, 67])),
        play(melody([45, 52, 57, 61]), roll_off=2),
        np.zeros(SECONDS * RATE, np.float32),
    ]
    together = transcribe(*clips)
    for clip, found in zip(clips, together, strict=True):
        np.testing.assert_array_equal(found, transcribe(clip, batch=1)[0])
    assert [len(found) for found in together] == [3, 4, 0]


def test_frames_are_those_of_the_clip():
    audio = play(melody([60]))
    pitched = tonal.analyse_tonal_batch(audio[None])
    ((activity,), (onset,)) = notes.analyse_notes_batch(audio[None], pitched)
    assert activity.shape == onset.shape == (50 * SECONDS, 84)
    assert activity.dtype == onset.dtype == np.float32
    assert np.all(np.asarray(activity) >= 0)
    at = np.unravel_index(np.argmax(onset), onset.shape)
    assert at[1] == 60 - 24 and abs(at[0] / 50 - 0.3) <= 0.04


def pitch_classes(found):
    return np.bincount(found[:, 2].astype(int) % 12, minlength=12) / max(len(found), 1)


def unique_pitch_classes(found):
    lengths = found[:, 1] - found[:, 0]
    sums = np.bincount(found[:, 2].astype(int) % 12, lengths, minlength=12)
    return int(np.sum(sums > 0.02 * sums.sum()))


def test_floors_on_synthetic_clips():
    """The floors of MIRDD's notes; notes of the next clip are what they shut out."""
    clips = [synthetic.make_clip(5, i) for i in range(6)]
    truths = [clip.truth.notes for clip in clips]
    founds = transcribe(*[clip.mix for clip in clips])

    def distances(founds):
        return [
            0.5 * np.abs(pitch_classes(a) - pitch_classes(b)).sum()
            for a, b in zip(truths, founds, strict=True)
        ]

    def scores(founds):
        return [onset_f(a, b) for a, b in zip(truths, founds, strict=True)]

    pooled = [np.mean([pitch_classes(n) for n in x], axis=0) for x in (truths, founds)]
    assert 0.5 * np.abs(pooled[0] - pooled[1]).sum() <= 0.06
    assert np.mean(distances(founds)) <= 0.1 < 0.3 < np.mean(distances(founds[::-1]))
    away = [
        abs(unique_pitch_classes(a) - unique_pitch_classes(b))
        for a, b in zip(truths, founds, strict=True)
    ]
    assert max(away) <= 1
    assert np.mean(scores(founds)) >= 0.8 > 0.1 > np.mean(scores(founds[::-1]))
    jaccard = [
        len({*a[:, 2]} & {*b[:, 2]}) / len({*a[:, 2]} | {*b[:, 2]})
        for a, b in zip(truths, founds, strict=True)
    ]
    assert np.mean(jaccard) >= 0.8


# The decode


def column(values):
    return np.array(values, np.float64)[:, None]


@pytest.mark.parametrize(
    ("onset", "activity", "expected"),
    [
        # one note; its activity of exactly 0.3 no longer counts
        ([0, 9, 0, 0, 0, 0], [0, 1, 1, 1, 0.3, 0], [(1, 4)]),
        # a gap of one frame is bridged, one of two is not
        ([0, 9, 0, 0, 0, 0], [0, 1, 0, 1, 1, 0], [(1, 5)]),
        ([9, 0, 0, 0, 0, 0], [1, 1, 0, 0, 1, 1], [(0, 2)]),
        # too short, and no onset
        ([0, 9, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], []),
        ([0, 0.5, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1], []),
        # the next note of the pitch ends this one
        ([9, 0, 0, 9, 0, 0], [1, 1, 1, 1, 1, 0], [(0, 3), (3, 5)]),
        # a plateau is one peak, and lasts to the end of the clip
        ([0, 9, 9, 0, 0, 0], [0, 1, 1, 1, 1, 1], [(1, 6)]),
        # an onset too late to hold a note leaves the one before whole
        ([9, 0, 0, 0, 0, 9], [1, 1, 1, 1, 1, 1], [(0, 6)]),
        # activity may begin a frame after the onset
        ([9, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [(0, 3)]),
    ],
)
def test_decode_by_hand(onset, activity, expected):
    times = np.arange(6) * 0.5
    found = decode_notes(
        column(onset), column(activity), times, lowest_pitch=30, rule=RULE
    )
    table = np.array([(a / 2, b / 2, 30) for a, b in expected]).reshape(-1, 3)
    np.testing.assert_array_equal(found, table)


def slow_decode(onset, activity, rule):
    """The rule frame by frame."""
    found = []
    num_frames, num_pitches = onset.shape
    for p in range(num_pitches):
        limit = num_frames
        for t in reversed(range(num_frames)):
            left = onset[t - 1, p] if t else -np.inf
            right = onset[t + 1, p] if t + 1 < num_frames else -np.inf
            if not (onset[t, p] > rule.onset and left < onset[t, p] >= right):
                continue
            end, gap = t, 0
            for u in range(t, limit):
                gap = 0 if activity[u, p] > rule.sustain else gap + 1
                if gap > rule.max_gap:
                    break
                end = end if gap else u + 1
            if end - t >= rule.min_length:
                found.append((t, end, p))
                limit = t
    return sorted(found, key=lambda n: (n[0], n[2]))


@pytest.mark.parametrize("seed", range(4))
def test_decode_against_a_slow_twin(seed):
    rng = np.random.Generator(np.random.Philox(seed))
    onset, activity = rng.random((2, 200, 7)) ** [[[2.0]], [[0.6]]]
    rule = NoteRule(onset=0.5, sustain=0.4, max_gap=seed, min_length=3)
    times = np.arange(200.0)
    found = decode_notes(onset, activity, times, lowest_pitch=0, rule=rule)
    expected = slow_decode(onset, activity, rule)
    assert len(expected) > 20
    np.testing.assert_array_equal(found, expected)


def test_a_rule_is_checked():
    with pytest.raises(ValueError, match="min_length >= 1"):
        NoteRule(onset=0.5, sustain=0.3, max_gap=1, min_length=0)

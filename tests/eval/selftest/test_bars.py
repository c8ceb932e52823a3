"""The self-test's own arithmetic, and MIRDD's bars on the truths of few clips."""

import numpy as np
import pytest

from stemjax.analysis.analysis import NO_CHORD
from stemjax.eval.selftest import bars as selftest
from stemjax.eval.selftest.checks import table
from stemjax.eval.selftest.synthetic import make_clip

CLIPS = [make_clip(selftest.REAL, k) for k in range(24)]
TRUTH = [clip.truth for clip in CLIPS]


def test_f_measure_by_hand():
    found, truth = np.array([0.0, 1.0, 1.05, 3.0]), np.array([0.05, 1.02, 2.0, 3.2])
    # 0-0.05 and 1-1.02 match; 1.05 has no partner left, 3.0 is 200 ms off
    assert selftest.f_measure(found, truth, 0.07) == 2 * 2 / 8
    assert selftest.f_measure(truth, truth, 0.07) == 1
    assert selftest.f_measure(np.zeros(0), truth, 0.07) == 0


def test_triads_are_compared_where_there_are_some():
    truth = TRUTH[0]._replace(chords=np.array([[0, 1, NO_CHORD], [1, 2, 0], [2, 3, 7]]))
    found = truth._replace(chords=np.array([[0, 2.5, 0], [2.5, 3, 7]]))
    assert selftest.triad_accuracy(found, truth) == pytest.approx(0.75)
    assert selftest.triad_accuracy(truth, truth) == 1


def test_notes_by_hand():
    notes = np.array([[0.0, 1.0, 60], [1.0, 2.0, 64], [2.0, 4.0, 72]])
    truth = TRUTH[0]._replace(notes=notes)
    moved = truth._replace(notes=notes + [[0.03, 0, 0], [0.08, 0, 0], [0, 0, 1]])
    assert selftest.onset_f(moved, truth) == pytest.approx(1 / 3)  # only the first
    assert selftest.onset_f(truth, truth) == 1
    halved = truth._replace(notes=notes[:2])
    # C 3/4 and E 1/4 against halves
    assert selftest.pitch_class_variation(halved, truth) == pytest.approx(0.25)


def test_the_truth_passes_every_bar_and_another_clips_truth_does_not():
    for check in selftest.descriptor_checks(CLIPS, TRUTH):
        assert check.has_passed, check
    shuffled = TRUTH[5:] + TRUTH[:5]
    failed = [
        check.name
        for check in selftest.descriptor_checks(CLIPS, shuffled)
        if not check.has_passed
    ]
    assert {"key accuracy", "triads, share of frames", "beats, F at 70 ms"} < set(
        failed
    )
    assert "beats per bar" in failed and "percussive density, Spearman" in failed


def test_mirdd_of_truths_sees_what_truths_can_tell():
    """By truth a late stem moves no descriptor: lateness is for the audio's analysis."""
    spoiled = selftest.corruptions(CLIPS)
    analyses = {
        name: [clip.truth for clip in spoiled[name]]
        for name in ("misaligned", "transposed")
    }
    split = [make_clip(selftest.OTHER, k).truth for k in range(24)]
    checks = {c.name: c for c in selftest.mirdd_checks(TRUTH, split, analyses)}
    assert checks["MIRDD of a set with itself"].value == 0
    assert checks["MIRDD transposed, least step of dose"].has_passed
    ratio = checks["MIRDD transposed over 2 x null's 95 %"].value
    # at n = 24 the null is wide; the bar of 1 holds at 120
    assert ratio > 0.3
    # a population's own rows are in their null; transposed ones are not
    split_ratio = checks["MIRDD of another split over null's 95 %"].value
    assert split_ratio < 1
    page = table(list(checks.values()))
    assert "= 0  ok" in page


@pytest.mark.parametrize(
    "found, truth, score",
    [
        (0, 0, 1.0),
        (7, 0, 0.5),  # G for C
        (5, 0, 0.0),  # F for C
        (21, 0, 0.3),  # a for C
        (0, 21, 0.3),  # C for a
        (12, 0, 0.2),  # c for C
        (0, 12, 0.2),
        (16, 21, 0.5),  # e for a
        (-1, 0, 0.0),
    ],
)
def test_keys_by_mirex_weights(found, truth, score):
    assert selftest.key_score(found, truth) == score


def test_keys_of_exact_notes():
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    notes = np.stack(
        [np.arange(8.0), np.arange(8.0) + [2, 1, 1, 1, 2, 1, 1, 2], scale], 1
    )
    assert selftest.key_of_notes(notes) == 0
    assert selftest.key_of_notes(notes + [0, 0, 3]) == 3


def test_log_mel_sees_faults_beyond_a_split_at_reduced_size():
    others = [make_clip(selftest.OTHER, k) for k in range(24)]
    checks = {c.name: c for c in selftest.log_mel_checks(CLIPS, others)}
    loud = ("silence", "noise at 10 dB", "noise at 20 dB", "noise at 30 dB")
    for name in loud:
        assert checks[f"FD-logmel {name} over 5 x a split's"].has_passed
    assert checks["FD-logmel, least step of noise"].has_passed
    # the bias of 24 clips is five times that of the 120 the bar is meant for
    assert 0.02 < checks["FD-logmel of a split over the trace"].value < 0.2

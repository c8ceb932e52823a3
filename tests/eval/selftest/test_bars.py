"""Scores of the self-test by hand, and bars of MIRDD on the true music of few clips."""

import numpy as np
import pytest

from stemjax.analysis.records import NO_CHORD
from stemjax.eval.selftest import bars
from stemjax.eval.selftest.checks import at_most, is_zero, report_only, table
from stemjax.eval.selftest.synthetic import make_clip

CLIPS = [make_clip(bars.REAL, k) for k in range(24)]
TRUTH = [clip.truth for clip in CLIPS]


def test_f_measure_by_hand():
    result, truth = np.array([0.0, 1.0, 1.05, 3.0]), np.array([0.05, 1.02, 2.0, 3.2])
    # 0-0.05 and 1-1.02 match; 1.05 has no partner left, 3.0 is 200 ms off
    assert bars.f_measure(result, truth, 0.07) == 2 * 2 / 8
    assert bars.f_measure(truth, truth, 0.07) == 1
    assert bars.f_measure(np.zeros(0), truth, 0.07) == 0


def test_triads_are_compared_where_there_are_some():
    truth = TRUTH[0]._replace(chords=np.array([[0, 1, NO_CHORD], [1, 2, 0], [2, 3, 7]]))
    result = truth._replace(chords=np.array([[0, 2.5, 0], [2.5, 3, 7]]))
    assert bars.triad_accuracy(result, truth) == pytest.approx(0.75)
    assert bars.triad_accuracy(truth, truth) == 1


def test_notes_by_hand():
    notes = np.array([[0.0, 1.0, 60], [1.0, 2.0, 64], [2.0, 4.0, 72]])
    truth = TRUTH[0]._replace(notes=notes)
    moved = truth._replace(notes=notes + [[0.03, 0, 0], [0.08, 0, 0], [0, 0, 1]])
    assert bars.onset_f(moved, truth) == pytest.approx(1 / 3)  # only the first
    assert bars.onset_f(truth, truth) == 1
    halved = truth._replace(notes=notes[:2])
    # C 3/4 and E 1/4 against halves
    assert bars.pitch_class_variation(halved, truth) == pytest.approx(0.25)


def test_the_truth_passes_every_bar_and_another_clips_truth_does_not():
    for check in bars.descriptor_checks(CLIPS, TRUTH):
        assert check.has_passed, check
    shuffled = TRUTH[5:] + TRUTH[:5]
    failed = [
        check.name
        for check in bars.descriptor_checks(CLIPS, shuffled)
        if not check.has_passed
    ]
    assert {"key accuracy", "triads, share of frames", "beats, F at 70 ms"} < set(
        failed
    )
    assert "beats per bar" in failed and "percussive density, Spearman" in failed


def test_mirdd_of_truths_sees_what_truths_can_tell():
    """A late stem changes no true descriptor; only the analysis of audio shows it."""
    spoiled = bars.corruptions(CLIPS)
    analyses = {
        name: [clip.truth for clip in spoiled[name]]
        for name in ("misaligned", "transposed")
    }
    split = [make_clip(bars.OTHER, k).truth for k in range(24)]
    checks = {c.name: c for c in bars.mirdd_checks(TRUTH, split, analyses)}
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
    "result, truth, score",
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
def test_keys_by_mirex_weights(result, truth, score):
    assert bars.key_score(result, truth) == score


def test_keys_of_exact_notes():
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    notes = np.stack(
        [np.arange(8.0), np.arange(8.0) + [2, 1, 1, 1, 2, 1, 1, 2], scale], 1
    )
    assert bars.key_of_notes(notes) == 0
    assert bars.key_of_notes(notes + [0, 0, 3]) == 3


@pytest.mark.slow
def test_log_mel_sees_faults_beyond_a_split_at_reduced_size():
    others = [make_clip(bars.OTHER, k) for k in range(24)]
    checks = {c.name: c for c in bars.log_mel_checks(CLIPS, others)}
    loud = ("silence", "noise at 10 dB", "noise at 20 dB", "noise at 30 dB")
    for name in loud:
        assert checks[f"FD-logmel {name} over 5 x a split's"].has_passed
    assert checks["FD-logmel, least step of noise"].has_passed
    # the bias of 24 clips is five times that of the 120 the bar is meant for
    assert 0.02 < checks["FD-logmel of a split over the trace"].value < 0.2


def test_a_table_prints_bars_and_rounding_errors_by_their_exponent():
    lines = table(
        [
            at_most("small", 3.2e-5, 1e-4),
            at_most("not a number", np.nan, 1.0),
            is_zero("none", 0),
            is_zero("some", 2),
            report_only("dB", -114.86),
        ]
    ).split("\n")[1:]
    assert [" ".join(line.split()) for line in lines] == [
        "small 3.2e-05 <= 0.0001 ok",
        "not a number nan <= 1 FAILED",
        "none 0 = 0 ok",
        "some 2.0000 = 0 FAILED",
        "dB -114.8600 printed only",
    ]

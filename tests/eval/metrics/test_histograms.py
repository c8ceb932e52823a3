"""The eleven histograms: each descriptor's bins by hand, and muspy's definitions."""

import numpy as np
import pytest

from stemjax.analysis.analysis import METERS, NO_CHORD, NO_KEY, NO_METER, Analysis
from stemjax.eval.metrics.histograms import (
    DESCRIPTORS,
    RELATIVE_DESCRIPTORS,
    block_slices,
    histograms,
    pitch_range,
    relative_histograms,
    unique_pitch_classes,
)
from stemjax.eval.selftest import synthetic

C, G, A_MINOR, C_MINOR = 0, 7, 21, 12
NOTHING = Analysis(
    is_tonal=True,
    key=NO_KEY,
    chords=np.zeros((0, 3)),
    sections=np.zeros((0, 3)),
    notes=np.zeros((0, 3)),
    beats=np.zeros(0),
    beats_per_bar=NO_METER,
    percussive_density=0,
)


def block(name, **facts):
    """The named descriptor's bins of a clip with these facts alone."""
    analysis = NOTHING._replace(**facts)
    if name.startswith("relative"):
        values, table = relative_histograms(analysis), RELATIVE_DESCRIPTORS
    else:
        values, table = histograms(analysis), DESCRIPTORS
    places = {descriptor.name: place for descriptor, place in block_slices(table)}
    return values[places[name]]


def notes_of(*pitches, length=1.0):
    return np.array([[i * length, (i + 1) * length, p] for i, p in enumerate(pitches)])


def chords_of(*labels, length=1.0):
    return notes_of(*labels, length=length)


def assert_bins(values, expected):
    """All mass in the bins of `expected`: {bin: share}."""
    dense = np.zeros(len(values))
    for index, share in expected.items():
        dense[index] = share
    np.testing.assert_allclose(values, dense, atol=1e-12)


def test_the_table():
    """Names, sizes and kernels of the specification; NONE is counted."""
    assert [(d.name, d.num_bins, d.kernel_sd) for d in DESCRIPTORS] == [
        ("key", 25, 0),
        ("pitch_range", 90, 2),
        ("unique_pitch_classes", 13, 0),
        ("percussive_density", 41, 1),
        ("beats_per_bar", 5, 0),
        ("chord_variety", 25, 0),
        ("chord_alteration", 11, 0),
        ("pitches", 89, 0),
        ("pitch_classes", 13, 0),
        ("triads", 25, 0),
        ("structure", 6, 0),
    ]
    left_out = [d.name for d in DESCRIPTORS if not d.is_in_nine]
    assert left_out == ["beats_per_bar", "structure"]


@pytest.mark.parametrize("key, bin_", [(0, 0), (11, 11), (12, 12), (23, 23), (-1, 24)])
def test_key(key, bin_):
    assert_bins(block("key", key=key), {bin_: 1})


@pytest.mark.parametrize(
    "pitches, bin_",
    [((60,), 0), ((60, 67), 7), ((21, 108), 87), ((), 89), ((20, 109), 89)],
)
def test_pitch_range(pitches, bin_):
    notes = notes_of(*pitches) if pitches else np.zeros((0, 3))
    assert_bins(block("pitch_range", notes=notes), {bin_: 1})


def test_pitch_range_leaves_out_one_percent_of_duration_at_each_end():
    """0.9 s of 100 s at the top are left out, 1.1 s are not."""
    for top, expected in ((0.9, 12), (1.1, 40)):
        notes = np.array([[0, 50, 48], [0, 50 - top, 60], [0, top, 88]], float)
        assert_bins(block("pitch_range", notes=notes), {expected: 1})
    many_short = np.array([[0, 99.5, 50]] + [[0, 0.01, 90]] * 50, float)
    assert pitch_range(many_short) == 0, "weighted by duration, not by count"


@pytest.mark.parametrize(
    "share, count", [(0.019, 1), (0.021, 2)], ids=["below 2 %", "above 2 %"]
)
def test_unique_pitch_classes(share, count):
    notes = np.array([[0, 100 * (1 - share), 60], [0, 100 * share, 61]])
    assert_bins(block("unique_pitch_classes", notes=notes), {count: 1})


def test_unique_pitch_classes_fold_octaves_and_end_at_twelve():
    octaves = notes_of(36, 48, 60, 67)
    assert_bins(block("unique_pitch_classes", notes=octaves), {2: 1})
    assert_bins(block("unique_pitch_classes", notes=notes_of(*range(40, 64))), {12: 1})
    assert_bins(block("unique_pitch_classes"), {0: 1})


@pytest.mark.parametrize("density, bin_", [(0, 0), (7, 7), (40, 40), (55, 40)])
def test_percussive_density(density, bin_):
    assert_bins(block("percussive_density", percussive_density=density), {bin_: 1})


@pytest.mark.parametrize("bin_, meter", [*enumerate(METERS), (4, NO_METER)])
def test_beats_per_bar(bin_, meter):
    assert_bins(block("beats_per_bar", beats_per_bar=meter), {bin_: 1})


def test_chord_variety_counts_labels_of_long_enough_segments():
    chords = np.array(
        [
            [0, 1, C],
            [1, 2, NO_CHORD],
            [2, 3, G],
            [3, 3.25, A_MINOR],  # shorter than 0.3 s
            [3.25, 4, C],
            [4, 4.375, C_MINOR],
        ]
    )
    assert_bins(block("chord_variety", chords=chords), {3: 1})
    assert_bins(block("chord_variety", chords=chords_of(*range(24))), {24: 1})
    assert_bins(block("chord_variety", chords=chords_of(NO_CHORD)), {0: 1})
    assert_bins(block("chord_variety"), {0: 1})


@pytest.mark.parametrize(
    "labels, bin_",
    [
        ((C, G, C, G), 0),  # 0 of 3
        ((C, A_MINOR, C), 9),  # 2 of 2
        ((C, G, A_MINOR), 5),  # 1 of 2
        ((C, G, C, A_MINOR), 3),  # 1 of 3
        ((C,) + (G, C) * 4 + (G, A_MINOR), 1),  # 1 of 10, the bin's edge
        ((C, NO_CHORD, A_MINOR), 9),  # the gap is passed over
        ((C, NO_CHORD, C), 10),  # no move
        ((C,), 10),
        ((), 10),
    ],
)
def test_chord_alteration(labels, bin_):
    chords = chords_of(*labels) if labels else np.zeros((0, 3))
    assert_bins(block("chord_alteration", chords=chords), {bin_: 1})


def test_alteration_bins_have_exact_edges():
    """k of 10 moves is bin k, for which k / 10 * 10 in floating point would not do."""
    for k in range(10):
        labels = [C]
        for move in range(10):
            is_minor = (labels[-1] >= 12) ^ (move < k)
            labels.append((labels[-1] + 1) % 12 + 12 * is_minor)
        assert_bins(block("chord_alteration", chords=chords_of(*labels)), {k: 1})


def test_pitches_are_shares_of_the_count():
    notes = np.array(
        [[0, 9, 21], [0, 1, 108], [0, 1, 60], [1, 2, 60], [0, 5, 12]], float
    )
    assert_bins(block("pitches", notes=notes), {0: 0.25, 87: 0.25, 60 - 21: 0.5})
    assert_bins(block("pitches"), {88: 1})


def test_pitch_classes_are_shares_of_the_count():
    assert_bins(
        block("pitch_classes", notes=notes_of(60, 72, 67, 69)),
        {0: 0.5, 7: 0.25, 9: 0.25},
    )
    assert_bins(block("pitch_classes"), {12: 1})


def test_triads_are_shares_of_time():
    chords = np.array([[0, 1, NO_CHORD], [1, 4, C], [4, 6, A_MINOR], [6, 8, C]])
    assert_bins(block("triads", chords=chords), {C: 5 / 8, A_MINOR: 2 / 8, 24: 1 / 8})
    assert_bins(block("triads"), {24: 1})


def test_structure_is_shares_of_time():
    sections = np.array([[0, 4, 0], [4, 12, 1], [12, 16, 0]])
    assert_bins(block("structure", sections=sections), {0: 0.5, 1: 0.5})
    assert_bins(block("structure"), {0: 1})


def test_without_pitched_content_the_tonal_fields_are_not_read():
    facts = {
        "is_tonal": False,
        "key": 3,
        "notes": notes_of(60, 64),
        "chords": chords_of(C, A_MINOR),
        "percussive_density": 6,
        "beats_per_bar": 3,
        "sections": np.array([[0.0, 2.0, 0], [2, 4, 1]]),
    }
    for name, bin_ in {
        "key": 24,
        "pitch_range": 89,
        "unique_pitch_classes": 0,
        "chord_variety": 0,
        "chord_alteration": 10,
        "pitches": 88,
        "pitch_classes": 12,
        "triads": 24,
        "percussive_density": 6,
        "beats_per_bar": 0,
        "relative_pitch_classes": 12,
        "relative_triads": 24,
    }.items():
        assert_bins(block(name, **facts), {bin_: 1})
    assert_bins(block("structure", **facts), {0: 0.5, 1: 0.5})


@pytest.mark.parametrize("key", [2, 2 + 12])
def test_relative_blocks_count_from_the_tonic(key):
    """In D: D is 0, A is 7, and C# wraps to 11; B minor is the sixth degree."""
    notes = notes_of(62, 69, 61, 74)
    assert_bins(
        block("relative_pitch_classes", key=key, notes=notes),
        {0: 0.5, 7: 0.25, 11: 0.25},
    )
    chords = np.array([[0, 1, NO_CHORD], [1, 2, 2], [2, 4, 12 + 11], [4, 8, 1]])
    assert_bins(
        block("relative_triads", key=key, chords=chords),
        {24: 1 / 8, 0: 1 / 8, 12 + 9: 2 / 8, 11: 4 / 8},
    )


def test_relative_blocks_without_a_key():
    assert_bins(block("relative_pitch_classes", notes=notes_of(60)), {12: 1})
    assert_bins(block("relative_triads", chords=chords_of(C)), {24: 1})


@pytest.fixture(scope="module")
def clips():
    return [synthetic.make_clip(3, index) for index in range(12)]


def test_every_block_of_a_clip_sums_to_one(clips):
    for clip in clips:
        for make, table in (
            (histograms, DESCRIPTORS),
            (relative_histograms, RELATIVE_DESCRIPTORS),
        ):
            values = make(clip.truth)
            assert values.shape == (sum(d.num_bins for d in table),)
            assert values.dtype == np.float64 and (values >= 0).all()
            for _, place in block_slices(table):
                assert values[place].sum() == pytest.approx(1, abs=1e-12)


def test_relative_blocks_do_not_see_the_key(clips):
    """The same music five semitones higher, in the key five semitones higher."""
    for clip in clips:
        truth = clip.truth
        chords = truth.chords.copy()
        is_chord = chords[:, 2] != NO_CHORD
        labels = chords[is_chord, 2]
        chords[is_chord, 2] = (labels + 5) % 12 + labels // 12 * 12
        moved = truth._replace(
            key=(truth.key + 5) % 12 + truth.key // 12 * 12,
            notes=truth.notes + [0, 0, 5],
            chords=chords,
        )
        np.testing.assert_allclose(
            relative_histograms(moved), relative_histograms(truth), atol=1e-12
        )
        assert not np.allclose(histograms(moved), histograms(truth))


def test_exact_notes_give_muspys_definitions(clips):
    """Without tails and threshold these are muspy.pitch_range, max - min of the pitches,
    and muspy.n_pitch_classes_used, the number of different pitches mod 12."""
    for clip in clips:
        for notes in (clip.truth.notes, clip.melody_notes, clip.context_notes):
            pitches = notes[:, 2]
            assert pitch_range(notes, tail=0) == pitches.max() - pitches.min()
            used = len({int(pitch) % 12 for pitch in pitches})
            assert unique_pitch_classes(notes, threshold=0) == used
            assert pitch_range(notes) <= pitch_range(notes, tail=0)
            assert unique_pitch_classes(notes) <= used

"""Sections: novelty in closed form, clusters by hand, clips with known sections."""

import numpy as np
import pytest

from stemjax.analysis import structure
from stemjax.analysis.tonal import analyse_tonal_batch
from stemjax.eval.selftest.synthesis import synthesise_notes
from stemjax.eval.selftest.synthetic import make_clip

LOW = [(36, 55, 59, 62), (40, 55, 60, 64)]  # two chords each
HIGH = [(61, 73, 77, 80), (58, 73, 78, 82)]


def clip(chords):
    """20 s from [(start, end, pitches)]."""
    notes = [(start, end, pitch) for start, end, tones in chords for pitch in tones]
    return synthesise_notes(np.array(notes), level=0.1, timbre=2, decay=0.3)


def alternating(sections):
    """1 s of each of a section's two chords in turn: [(end, chords)] -> [N]."""
    chords, start = [], 0
    for end, pair in sections:
        chords += [(t, t + 1, pair[t % 2]) for t in range(start, end)]
        start = end
    return clip(chords)


def find(audio):
    tonal = analyse_tonal_batch(audio[None])
    return structure.find_sections(tonal.chroma[0], tonal.semitones[0])


def test_a_b_a():
    found = find(alternating([(7, LOW), (14, HIGH), (20, LOW)]))
    np.testing.assert_array_equal(found[:, 2], [0, 1, 0])
    # the bar is 3 s; steady sections are found to a second
    np.testing.assert_allclose(found[:, 0], [0, 7, 14], atol=1.0)
    np.testing.assert_array_equal(found[:, 1], [*found[1:, 0], 20])


def test_what_does_not_change_is_one_section():
    for audio in (
        alternating([(20, LOW)]),
        clip([(t, t + 2, LOW[0]) for t in range(0, 20, 2)]),
        np.zeros(320_000, np.float32),
    ):
        np.testing.assert_array_equal(find(audio), [[0, 20, 0]])


def test_a_clip_too_short_for_the_kernel_is_one_section():
    chroma, semitones = np.ones((60, 12)), np.ones((60, 84))
    chroma[30:] = np.eye(12)[0]
    np.testing.assert_array_equal(
        structure.find_sections(chroma, semitones), [[0, 3, 0]]
    )


def test_novelty_in_closed_form():
    """Two blocks of orthogonal features: half of the checkerboard counts."""
    features = np.repeat(np.eye(2), 20, axis=0)
    values = structure.novelty(features @ features.T)
    # d frames off the boundary the side's mean moves by d / 8 of the difference
    off = np.abs(np.arange(40) - 20)
    expected = np.where(off <= 8, 0.5 * (1 - off / 8) ** 2, 0)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert not structure.novelty(np.ones((40, 40))).any()


@pytest.mark.parametrize("seed", range(3))
def test_novelty_is_the_squared_step_of_the_means(seed):
    features = np.random.default_rng(seed).normal(size=(40, 5))
    values = structure.novelty(features @ features.T)
    for t in range(8, 33):
        step = features[t : t + 8].mean(0) - features[t - 8 : t].mean(0)
        np.testing.assert_allclose(values[t], step @ step / 4, rtol=1e-9)


def test_features_by_hand():
    """Constant chroma and one octave are a unit vector; octaves that stay are 0."""
    chroma = np.tile(np.eye(12)[3], (200, 1))
    semitones = np.zeros((200, 84))
    semitones[:, 12:24] = 1
    features = structure.section_features(chroma, semitones)
    assert features.shape == (20, 19)
    expected = np.concatenate([np.eye(12)[3] * 0.5, np.zeros(7)])
    np.testing.assert_allclose(features, np.tile(expected, (20, 1)), atol=1e-12)
    # half of the clip an octave higher: change / (change + a tenth of the mean)
    semitones[100:] = np.roll(semitones[100:], 12, axis=1)
    octaves = structure.section_features(chroma, semitones)[:, 12:]
    share = np.sqrt(0.5) / 1.1 * np.sqrt(3) / 2
    np.testing.assert_allclose(octaves[0, [1, 2]], [share, -share])
    np.testing.assert_allclose(octaves[-1, [1, 2]], [-share, share])


def test_clusters_by_hand():
    a, b, near_a = np.array([[1, 0, 0], [0, 1, 0], [1, 0.5, 0]])
    means = np.array([a, b, near_a, b, -a])
    labels = structure.cluster(means, np.ones(5))
    np.testing.assert_array_equal(labels, [0, 1, 0, 1, 2])
    # a seventh section joins the nearest of six
    means = np.concatenate([np.eye(7), [np.eye(7)[6] + 0.1 * np.eye(7)[4]]])
    labels = structure.cluster(means, np.ones(8))
    assert list(labels[:6]) == list(range(6))
    assert labels.max() == structure.NUM_LABELS - 1


@pytest.mark.parametrize("seed", range(8))
def test_sections_cover_the_clip_and_labels_change(seed):
    rng = np.random.default_rng(seed)
    blocks = np.sort(rng.integers(0, 400, 5))
    parts = np.searchsorted(blocks, np.arange(400))
    chroma, semitones = rng.random((6, 12))[parts], rng.random((6, 84))[parts]
    starts, ends, labels = structure.find_sections(chroma, semitones).T
    assert starts[0] == 0 and ends[-1] == 20
    np.testing.assert_array_equal(starts[1:], ends[:-1])
    assert np.all(np.diff(labels) != 0)
    assert np.all(np.diff(starts) >= 3)
    firsts = [list(labels).index(label) for label in sorted(set(labels))]
    assert firsts == sorted(firsts) and labels.max() == len(firsts) - 1


def test_boundaries_of_known_music():
    """Six in ten A/B boundaries to 3 s, and more than as many random ones would find."""
    clips = [make_clip(0, i) for i in range(24)]
    rng = np.random.default_rng(0)
    hits, by_chance = [], []
    for first in range(0, 24, 8):
        tonal = analyse_tonal_batch(np.stack([c.mix for c in clips[first : first + 8]]))
        for i, known in enumerate(clips[first : first + 8]):
            found = structure.find_sections(tonal.chroma[i], tonal.semitones[i])[1:, 0]
            truth = known.truth.sections[1, 0]
            hits.append(np.any(np.abs(found - truth) <= 3))
            drawn = rng.uniform(4, 16, (200, len(found)))
            by_chance.append(np.any(np.abs(drawn - truth) <= 3, axis=1).mean())
    assert np.mean(hits) >= 0.6
    assert np.mean(hits) > np.mean(by_chance) + 0.1

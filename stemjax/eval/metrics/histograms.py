"""The eleven descriptors of MIRDD as histograms (StemGen, sec. 3.1).

A clip gives each descriptor a distribution over its bins: all on one bin for a value of
the clip, a histogram for pooled events. The paper names the descriptors; bins, weights
and thresholds are this project's and are stated at each function.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stemjax.analysis.analysis import (
    METERS,
    NO_CHORD,
    NO_KEY,
    NO_METER,
    NUM_TRIADS,
    Analysis,
)

LOWEST_PITCH, HIGHEST_PITCH = 21, 108  # the piano's; notes beyond are not counted
MAX_RANGE = 88
MAX_DENSITY = 40
NUM_RATIO_BINS = 10
NUM_SECTIONS = 6
SHORTEST_CHORD = 0.3  # seconds; shorter segments are no label of their own


class Descriptor(NamedTuple):
    """One row of the table; the blocks of a histogram follow the table's order."""

    name: str
    num_bins: int
    """With the last, NONE, where there is one."""
    has_none: bool = False
    """Whether the last bin means that the clip has no such value."""
    kernel_sd: float = 0.0
    """Of the Gaussian that blurs neighbouring values, in bins; 0: none."""
    is_in_nine: bool = True
    """Whether MIRDD-9 has it: all but beats per bar and structure, which vary little."""


DESCRIPTORS = (
    Descriptor("key", 24 + 1, has_none=True),
    Descriptor("pitch_range", MAX_RANGE + 1 + 1, has_none=True, kernel_sd=2.0),
    Descriptor("unique_pitch_classes", 13),
    Descriptor("percussive_density", MAX_DENSITY + 1, kernel_sd=1.0),
    Descriptor("beats_per_bar", len(METERS) + 1, has_none=True, is_in_nine=False),
    Descriptor("chord_variety", NUM_TRIADS + 1),
    Descriptor("chord_alteration", NUM_RATIO_BINS + 1, has_none=True),
    Descriptor("pitches", HIGHEST_PITCH - LOWEST_PITCH + 1 + 1, has_none=True),
    Descriptor("pitch_classes", 12 + 1, has_none=True),
    Descriptor("triads", NUM_TRIADS + 1, has_none=True),
    Descriptor("structure", NUM_SECTIONS, is_in_nine=False),
)

RELATIVE_DESCRIPTORS = (
    Descriptor("relative_pitch_classes", 12 + 1, has_none=True),
    Descriptor("relative_triads", NUM_TRIADS + 1, has_none=True),
)
"""Of MIRDD-rel: a population in all keys has flat pitch classes whether or not the stems
fit; counted from each clip's tonic they are not flat, and misfit shows."""


def histograms(analysis: Analysis) -> np.ndarray:
    """[sum of `num_bins`] float64: the blocks of `DESCRIPTORS`, each with sum 1."""
    notes = _counted_notes(analysis)
    chords = _tonal_chords(analysis)
    key = analysis.key if analysis.is_tonal else NO_KEY
    variety = chord_variety(chords)
    pitches = notes[:, 2].astype(int)
    parts = (
        _one_hot(24 if key == NO_KEY else key, 24 + 1),
        _range_block(notes),
        _one_hot(unique_pitch_classes(notes), 13),
        _one_hot(min(analysis.percussive_density, MAX_DENSITY), MAX_DENSITY + 1),
        _meter_block(analysis.beats_per_bar),
        _one_hot(variety, NUM_TRIADS + 1),
        _alteration_block(chords[:, 2].astype(int)),
        _count_block(pitches - LOWEST_PITCH, HIGHEST_PITCH - LOWEST_PITCH + 1),
        _count_block(pitches % 12, 12),
        _triad_block(analysis, tonic=0),
        _structure_block(analysis.sections),
    )
    return np.concatenate(parts)


def relative_histograms(analysis: Analysis) -> np.ndarray:
    """[sum of `num_bins`] float64: the blocks of `RELATIVE_DESCRIPTORS`.

    Pitch classes and triads in semitones over the tonic of the clip's key; all on NONE
    for a clip without a key.
    """
    if not analysis.is_tonal or analysis.key == NO_KEY:
        return np.concatenate([_one_hot(12, 12 + 1), _one_hot(NO_CHORD, NO_CHORD + 1)])
    tonic = analysis.key % 12
    pitches = _counted_notes(analysis)[:, 2].astype(int)
    pitch_classes = _count_block((pitches - tonic) % 12, 12)
    return np.concatenate([pitch_classes, _triad_block(analysis, tonic=tonic)])


def block_slices(
    descriptors: tuple[Descriptor, ...],
) -> Iterator[tuple[Descriptor, slice]]:
    """Each descriptor of a table with its place in the table's histogram."""
    start = 0
    for descriptor in descriptors:
        yield descriptor, slice(start, start + descriptor.num_bins)
        start += descriptor.num_bins


def pitch_range(notes: np.ndarray, tail: float = 0.01) -> int:
    """Semitones between the quantiles `tail` and 1 - `tail` of pitch.

    Args:
      notes: [M, 3] onset, offset, MIDI pitch, M > 0; quantiles weigh by duration.
      tail: share left out at each end, as wrong notes rule the extremes; at 0 this is
        the highest minus the lowest pitch (muspy.pitch_range).
    """
    order = np.argsort(notes[:, 2], kind="stable")
    cumulative = np.cumsum(_durations(notes)[order])
    targets = np.array([tail, 1 - tail]) * cumulative[-1]
    low, high = notes[order[np.searchsorted(cumulative, targets)], 2]
    return int(high - low)


def unique_pitch_classes(notes: np.ndarray, threshold: float = 0.02) -> int:
    """Number of pitch classes with more than `threshold` of the notes' total duration.

    Args:
      notes: [M, 3] onset, offset, MIDI pitch; 0 without any.
      threshold: at 0 the count is of all that sound (muspy.n_pitch_classes_used).
    """
    pitch_classes = notes[:, 2].astype(int) % 12
    durations = np.bincount(pitch_classes, _durations(notes), minlength=12)
    return int(np.sum(durations > threshold * durations.sum()))


def chord_variety(chords: np.ndarray) -> int:
    """Different triads of segments [M, 3] without `NO_CHORD` that last 0.3 s or more."""
    return len(np.unique(chords[_durations(chords) >= SHORTEST_CHORD, 2]))


def _durations(segments: np.ndarray) -> np.ndarray:
    return segments[:, 1] - segments[:, 0]


def _one_hot(index: int, size: int) -> np.ndarray:
    return np.eye(size)[index]


def _counted_notes(analysis: Analysis) -> np.ndarray:
    if not analysis.is_tonal:
        return np.zeros((0, 3))
    pitches = analysis.notes[:, 2]
    return analysis.notes[(pitches >= LOWEST_PITCH) & (pitches <= HIGHEST_PITCH)]


def _tonal_chords(analysis: Analysis) -> np.ndarray:
    """Segments [M, 3] with a triad; none of a clip without pitched content."""
    return analysis.chords[(analysis.chords[:, 2] != NO_CHORD) & analysis.is_tonal]


def _range_block(notes: np.ndarray) -> np.ndarray:
    bin_ = pitch_range(notes) if len(notes) else MAX_RANGE + 1
    return _one_hot(bin_, MAX_RANGE + 1 + 1)


def _meter_block(beats_per_bar: int) -> np.ndarray:
    is_known = beats_per_bar != NO_METER
    bin_ = METERS.index(beats_per_bar) if is_known else len(METERS)
    return _one_hot(bin_, len(METERS) + 1)


def _alteration_block(triads: np.ndarray) -> np.ndarray:
    """Share of the moves between triads [M] that change major to minor or back.

    A stretch without a chord between two triads is passed over.
    """
    is_move = triads[1:] != triads[:-1]
    is_minor = triads >= 12
    num_moves = int(is_move.sum())
    num_altered = int((is_minor[1:] != is_minor[:-1]).sum())
    bin_ = NUM_RATIO_BINS
    if num_moves:
        bin_ = min(NUM_RATIO_BINS * num_altered // num_moves, NUM_RATIO_BINS - 1)
    return _one_hot(bin_, NUM_RATIO_BINS + 1)


def _count_block(values: np.ndarray, num_values: int) -> np.ndarray:
    """Shares of `values` [M] in 0..num_values - 1; all on the last bin without any."""
    if not len(values):
        return _one_hot(num_values, num_values + 1)
    return np.bincount(values, minlength=num_values + 1) / len(values)


def _triad_block(analysis: Analysis, *, tonic: int) -> np.ndarray:
    """Shares of time of the triads, their roots counted from `tonic`, and of none."""
    if not analysis.is_tonal or not len(analysis.chords):
        return _one_hot(NO_CHORD, NO_CHORD + 1)
    labels = analysis.chords[:, 2].astype(int)
    moved = (labels - tonic) % 12 + labels // 12 * 12
    labels = np.where(labels == NO_CHORD, NO_CHORD, moved)
    shares = np.bincount(labels, _durations(analysis.chords), minlength=NO_CHORD + 1)
    return shares / shares.sum()


def _structure_block(sections: np.ndarray) -> np.ndarray:
    """Shares of time of the labels; a clip without sections is one section."""
    if not len(sections):
        return _one_hot(0, NUM_SECTIONS)
    labels = sections[:, 2].astype(int)
    shares = np.bincount(labels, _durations(sections), minlength=NUM_SECTIONS)
    return shares / shares.sum()

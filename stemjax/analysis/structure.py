"""Sections of a clip: boundaries, and labels of similar sections.

On the host, NumPy in float64.  Labels only mark sections that resemble each other; they
do not mean verse or chorus.  Clips of 20 s rarely have more than two.

Source: novelty of a self-similarity matrix by a checkerboard kernel (Foote, 2000), then
greedy clusters of segment means.
"""

import numpy as np

from stemjax.analysis.tonal import FRAME_RATE

NUM_LABELS = 6
RATE = 2  # frames per second here
_SMOOTHING = 2.0  # seconds
_QUADRANT = 8  # frames: the checkerboard has four squares of 8 x 8, 4 s each way
_OCTAVES_WEIGHT = 3.0  # chroma weighs 1; it changes with every chord, octaves do not
_SMALL_CHANGE = 0.1  # relative to the mean energies; smaller changes count less
_LEAST_PEAK = 0.3  # of the largest novelty
_LEAST_DISTANCE = 3.0  # seconds between boundaries
_SAME_SECTION = 0.7  # cosine of segment means
_TINY = 1e-9


def find_sections(chroma: np.ndarray, semitones: np.ndarray) -> np.ndarray:
    """Find the sections of one clip.

    chroma: [T, 12], semitones: [T, 84], 20 frames per second, half a second or more.
    Returns [M, 3] float64: start, end in seconds, label 0-5 by first appearance.  Labels
    of neighbours differ; the sections cover the T / 20 s.
    """
    features = section_features(chroma, semitones)
    duration = len(chroma) / FRAME_RATE
    edges = [0, *_peaks(novelty(features @ features.T)), len(features)]
    means = [features[a:b].mean(0) for a, b in zip(edges, edges[1:], strict=False)]
    lengths = np.diff(edges)
    labels = cluster(np.array(means), lengths)
    firsts = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1])
    starts = np.array(edges)[firsts] / RATE
    ends = np.append(starts[1:], duration)
    return np.stack([starts, ends, labels[firsts]], axis=1)


def section_features(chroma: np.ndarray, semitones: np.ndarray) -> np.ndarray:
    """Features for self-similarity: [T, 12], [T, 84] -> [2 per second, 19].

    Row i describes the 2 s around i / 2 + 1 / 4 s.  Columns 0 to 11 are the mean chroma,
    of unit length.  Columns 12 to 18 are the energies of 7 octaves minus the clip's mean,
    divided by their length + a tenth of the mean's, so that small changes stay small.
    """
    octaves = np.asarray(semitones).reshape(len(semitones), -1, 12).sum(-1)
    energies = _averaged(octaves)
    mean = energies.mean(0)
    change = energies - mean
    size = np.linalg.norm(change, axis=1, keepdims=True)
    change /= np.maximum(size + _SMALL_CHANGE * np.linalg.norm(mean), _TINY)
    parts = [_unit(_averaged(chroma)), np.sqrt(_OCTAVES_WEIGHT) * change]
    return np.concatenate(parts, axis=1) / np.sqrt(1 + _OCTAVES_WEIGHT)


def novelty(similarity: np.ndarray) -> np.ndarray:
    """Difference between the 4 s before and after each frame: [T, T] -> [T].

    The mean over a checkerboard of four 8 x 8 squares (Foote, 2000); 0 if the kernel leaves
    the matrix, so the first and the last section have 4 s or more.
    """
    sign = np.repeat([-1.0, 1.0], _QUADRANT)
    kernel = np.outer(sign, sign)
    values = np.zeros(len(similarity))
    for t in range(_QUADRANT, len(similarity) - _QUADRANT + 1):
        window = slice(t - _QUADRANT, t + _QUADRANT)
        values[t] = (kernel * similarity[window, window]).mean()
    return values


def cluster(means: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Label segments by greedy clustering: [M, D], [M] -> [M] int, 0-5.

    In order of time, a segment joins the nearest cluster if its cosine with the cluster's
    mean is at least 0.7 or there are six clusters; otherwise it starts a new one.
    """
    sums, labels = [], []
    for mean, length in zip(means, lengths, strict=True):
        cosines = [_unit(total) @ _unit(mean) for total in sums]
        best = int(np.argmax(cosines)) if sums else -1
        if best < 0 or (cosines[best] < _SAME_SECTION and len(sums) < NUM_LABELS):
            best = len(sums)
            sums.append(np.zeros_like(mean))
        sums[best] = sums[best] + length * mean
        labels.append(best)
    return np.array(labels)


def _averaged(x):
    """[T, D] at 20 per second -> [2 per second, D]: means over 2 s."""
    x = np.asarray(x, np.float64)
    step, half = FRAME_RATE // RATE, round(_SMOOTHING * FRAME_RATE / 2)
    totals = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)])
    centres = np.arange(len(x) // step) * step + step // 2
    starts, ends = np.maximum(centres - half, 0), np.minimum(centres + half, len(x))
    return (totals[ends] - totals[starts]) / (ends - starts)[:, None]


def _peaks(values):
    """Frames of the local maxima that are high and far enough from higher ones."""
    from scipy.signal import find_peaks  # a slow import, needed for new clips only

    inner = values[_QUADRANT : len(values) - _QUADRANT + 1]
    height = max(_LEAST_PEAK * inner.max(initial=0), _TINY)
    peaks, _ = find_peaks(inner, height=height, distance=_LEAST_DISTANCE * RATE)
    return peaks + _QUADRANT


def _unit(x):
    norm = np.sqrt((x**2).sum(-1, keepdims=True))
    return x / np.maximum(norm, _TINY)

"""What has one right answer: matchings, best paths, counts of notes, the cache.

A figure is the number of cases that differ from a slow search or a count, so it is 0.
"""

import itertools
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from stemjax.analysis import harmony, rhythm
from stemjax.eval.metrics import alignment, histograms
from stemjax.eval.populations import store
from stemjax.eval.selftest.checks import Check, is_zero

CASES = 10
ITEMS = {f"{k:032x}": k for k in range(2 * store.SHARD_ROWS + 6)}  # three shards


def exact_checks() -> list[Check]:
    """All of this file."""
    return [
        *matching_checks(),
        *chord_path_checks(),
        *beat_path_checks(),
        *note_checks(),
        *interruption_checks(),
        *parameter_checks(),
    ]


def matching_checks() -> list[Check]:
    """F of times against a maximum matching of the graph of pairs within 70 ms."""
    rng = _rng(20)
    wrong = 0
    for _ in range(CASES):
        found, truth = (np.sort(rng.uniform(0, 2, rng.integers(5, 25))) for _ in "ab")
        graph = csr_array(np.abs(found[:, None] - truth) <= 0.07)
        matched = (maximum_bipartite_matching(graph) >= 0).sum()
        f = 2 * matched / (len(found) + len(truth))
        wrong += abs(alignment.f_measure(found, truth, 0.07) - f) > 1e-12
    return [is_zero("matching of times vs a bipartite graph's", wrong)]


def chord_path_checks() -> list[Check]:
    """Viterbi against all 6^6 paths of random models with 6 states, 6 frames."""
    rng = _rng(21)
    emissions, transitions = np.log(rng.dirichlet(np.ones(6), (2, CASES, 6)))
    initial = np.log(rng.dirichlet(np.ones(6), CASES))
    models = [np.float32(part) for part in (emissions, transitions, initial)]
    found = np.asarray(jax.vmap(harmony.viterbi)(*models))
    paths = np.array(list(itertools.product(range(6), repeat=6)))
    wrong = 0
    for k in range(CASES):
        scores = initial[k, paths[:, 0]] + emissions[k, np.arange(6), paths].sum(1)
        scores += transitions[k, paths[:, :-1], paths[:, 1:]].sum(1)
        wrong += not np.array_equal(found[k], paths[scores.argmax()])
    return [is_zero("Viterbi path of chords vs all paths", wrong)]


def beat_path_checks() -> list[Check]:
    """Beats against all chains of 18 frames: Ellis's sum, 100 ln(step / period)^2."""
    rng = _rng(22)
    strength = rng.gamma(0.5, 8.0, (CASES, 18)).astype(np.float32)
    periods = rng.uniform(3, 6, CASES).astype(np.float32)
    found = np.asarray(jax.vmap(rhythm.track_beats)(strength, periods))
    wrong = 0
    for k in range(CASES):
        _, beats = max(_chains(strength[k].tolist(), float(periods[k])))
        wrong += np.flatnonzero(found[k]).tolist() != beats
    return [is_zero("best chain of beats vs all chains", wrong)]


def _chains(
    strength: Sequence[float], period: float
) -> Iterator[tuple[float, list[int]]]:
    """Every chain of frames with steps of half to twice the period, and its score."""
    unfinished = [(value, [frame]) for frame, value in enumerate(strength)]
    while unfinished:
        score, beats = unfinished.pop()
        yield score, beats
        for frame in range(beats[-1] + 1, len(strength)):
            step = (frame - beats[-1]) / period
            if 0.5 <= step <= 2:
                more = strength[frame] - 100 * np.log(step) ** 2
                unfinished.append((score + more, [*beats, frame]))


def note_checks() -> list[Check]:
    """Pitch range and pitch classes of exact notes by muspy's definitions.

    With no tail left out and no threshold they are the highest minus the lowest pitch
    and the number of pitch classes.
    """
    rng = _rng(23)
    ranges = classes = 0
    for _ in range(CASES):
        count = rng.integers(1, 200)
        starts, lengths = rng.uniform(0, 20, count), rng.uniform(0.05, 2, count)
        pitches = np.round(rng.normal(60, 8, count)).clip(21, 108)  # few at the ends
        notes = np.stack([starts, starts + lengths, pitches], axis=1)
        ranges += histograms.pitch_range(notes, 0.0) != max(pitches) - min(pitches)
        count_of = histograms.unique_pitch_classes(notes, 0.0)
        classes += count_of != len({pitch % 12 for pitch in pitches})
    return [
        is_zero("pitch range of exact notes", ranges),
        is_zero("unique pitch classes of exact notes", classes),
    ]


def interruption_checks() -> list[Check]:
    """Analyses stopped before each shard, then resumed, against one never stopped."""
    wrong = again = 0
    whole = {key: _row(value) for key, value in ITEMS.items()}
    for shards in range(-(-len(ITEMS) // store.SHARD_ROWS)):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            before = after = 0

            def stopped(items, left=shards):
                nonlocal before
                if before == left * store.SHARD_ROWS:
                    raise _Stopped
                before += len(items)
                return [_row(value) for value in items]

            def resumed(items):
                nonlocal after
                after += len(items)
                return [_row(value) for value in items]

            try:
                store.cached(folder, ITEMS, stopped)
            except _Stopped:
                rows = store.cached(folder, ITEMS, resumed)
                wrong += _num_different(rows, whole)
            again += before + after - len(ITEMS)
    return [
        is_zero("cache, rows that a stopped analysis changes", wrong),
        is_zero("cache, clips that it analyses twice", again),
    ]


class _Stopped(Exception):
    """What stands for a kill: nothing after it runs."""


def _row(value: int) -> store.Row:
    return {"vectors": np.sqrt(np.arange(12, dtype=np.float32) + value).reshape(3, 4)}


def _num_different(rows: dict[str, store.Row], truth: dict[str, store.Row]) -> int:
    same = sum(
        key in rows and np.array_equal(rows[key]["vectors"], row["vectors"])
        for key, row in truth.items()
    )
    return max(len(rows), len(truth)) - same


def parameter_checks() -> list[Check]:
    """One parameter of a stage is changed: none of its old rows is read."""
    params = {"preset": "google", "hop": 8000, "version": 1}
    changes = {"preset": "gudgud", "hop": 15_360, "version": 2}
    old = 0
    with tempfile.TemporaryDirectory() as name:
        first = store.stage_folder(name, "mel", params)
        store.cached(first, ITEMS, lambda items: [_row(value) for value in items])
        for field, value in changes.items():
            other = store.stage_folder(name, "mel", params | {field: value})
            old += len(store.read_rows(other))
        kept = len(store.read_rows(first))
    return [
        is_zero("cache, rows read of other parameters", old),
        is_zero("cache, rows lost by other parameters", len(ITEMS) - kept),
    ]


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))

"""MIRDD of synthetic populations from their exact truth: fit, misfit and its dose."""

import numpy as np
import pytest

from stemjax.eval.metrics.histograms import (
    RELATIVE_DESCRIPTORS,
    block_slices,
    histograms,
    relative_histograms,
)
from stemjax.eval.metrics.mirdd import divergences, mirdd, mirdd_rel
from stemjax.eval.selftest import synthetic

N = 48  # one clip of each tonic, mode and meter


@pytest.fixture(scope="module")
def clips():
    return [synthetic.make_clip(0, index) for index in range(N)]


@pytest.fixture(scope="module")
def corrupted(clips):
    return {
        "misaligned": [
            synthetic.misaligned(clip, clips[(i + 1) % N])
            for i, clip in enumerate(clips)
        ],
        "silenced": [synthetic.silenced(clip) for clip in clips],
        "transposed": [synthetic.transposed(clip) for clip in clips],
    }


def rows_of(clips, make=histograms):
    return np.stack([make(clip.truth) for clip in clips])


def dosed(clean, spoilt, share):
    count = round(share * len(clean))
    return np.concatenate([spoilt[:count], clean[count:]])


def test_a_population_is_at_no_distance_from_itself(clips):
    rows, relative = rows_of(clips), rows_of(clips, relative_histograms)
    result = mirdd(rows, rows.copy())
    assert result.mirdd.estimate.value == 0
    assert result.mirdd.estimate.se == 0 and result.mirdd.adjusted == 0
    assert set(result.mean) == {0} and result.mirdd_nine.estimate.value == 0
    assert mirdd_rel(relative, relative.copy()).estimate.value == 0


def test_another_population_of_one_kind_is_within_the_null(clips):
    others = [synthetic.make_clip(1, index) for index in range(N)]
    for distance in (
        mirdd(rows_of(clips), rows_of(others)).mirdd,
        mirdd_rel(
            rows_of(clips, relative_histograms), rows_of(others, relative_histograms)
        ),
    ):
        assert 0 < distance.estimate.value <= distance.null_95


@pytest.mark.parametrize("corruption", ["misaligned", "silenced", "transposed"])
def test_misfit_is_beyond_the_null_and_grows_with_its_dose(
    clips, corrupted, corruption
):
    real, spoilt = rows_of(clips), rows_of(corrupted[corruption])
    results = [mirdd(real, dosed(real, spoilt, d / 4)) for d in range(5)]
    values = [result.mirdd.estimate.value for result in results]
    assert values[0] == 0 and (np.diff(values) > 0).all()
    assert (np.diff([result.mean.js for result in results]) > 0).all()
    full = results[-1].mirdd
    assert full.estimate.value > 2 * full.null_95
    assert full.estimate.value > 3 * full.estimate.se


def test_pitch_classes_do_not_see_transposition_and_relative_ones_do(clips, corrupted):
    """All keys are covered, so the pooled pitch classes stay flat."""
    moved = corrupted["transposed"]
    whole = mirdd(rows_of(clips), rows_of(moved))
    relative = mirdd_rel(
        rows_of(clips, relative_histograms), rows_of(moved, relative_histograms)
    )
    assert whole.by_descriptor["pitch_classes"].kl < 0.002
    assert whole.by_descriptor["unique_pitch_classes"].kl > 1
    assert relative.estimate.value > 2 * relative.null_95
    places = [place for _, place in block_slices(RELATIVE_DESCRIPTORS)]
    p, q = (
        rows_of(population, relative_histograms).mean(axis=0)[places[0]]
        for population in (clips, moved)
    )
    seen = divergences(p, q, N, RELATIVE_DESCRIPTORS[:1]).kl[0]
    assert seen > 20 * whole.by_descriptor["pitch_classes"].kl


def test_what_the_context_fixes_does_not_move(clips, corrupted):
    """Key, meter, chords and sections are the context's in the truth."""
    for population in corrupted.values():
        rows = mirdd(rows_of(clips), rows_of(population)).by_descriptor
        for name in ("key", "beats_per_bar", "triads", "structure"):
            assert rows[name].kl == 0

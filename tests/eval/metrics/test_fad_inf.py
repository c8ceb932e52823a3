"""FAD of few clips: populations of known distance, slow twins, order of sizes."""

import numpy as np
import pytest
import scipy.linalg

from stemjax.config.streams import Stream
from stemjax.eval.metrics import frechet
from stemjax.eval.metrics.fad_inf import at_size, fad_inf, per_clip
from stemjax.eval.metrics.jackknife import assign_groups, from_leave_outs, jackknife
from stemjax.io.errors import UserError
from stemjax.io.random import generator


def names(count: int) -> list[str]:
    return [f"clip-{i:04d}" for i in range(count)]


def gaussian_clips(count: int, seed: int, *, distance: float = 0.0, n=6, D=16):
    """Clips of n vectors [n, D], correlation 0.5 within a clip, variances 1/d, trace 3.

    The mean lies sqrt(distance) from the origin: the Frechet distance to a population
    of distance 0.
    """
    rng = np.random.default_rng(seed)
    scale = 1 / np.arange(1, D + 1)
    scale *= 3 / scale.sum()
    common, own = rng.normal(size=(count, 1, D)), rng.normal(size=(count, n, D))
    x = np.sqrt(0.5) * (common + own) * np.sqrt(scale)
    x[..., 0] += np.sqrt(distance)
    return list(x)


@pytest.mark.parametrize("distance", [0.0, 0.9])
def test_a_known_distance_is_found_from_few_clips(distance):
    errors, plain = [], []
    for seed in range(8):
        ids = names(120)
        group = assign_groups(ids, seed=seed)
        real = gaussian_clips(120, 2 * seed)
        generated = gaussian_clips(120, 2 * seed + 1, distance=distance)
        estimate = jackknife(
            frechet.group_statistic(real, generated, group, ids), group
        )
        line = fad_inf(real, generated, group, ids, seed=seed)
        assert abs(estimate.corrected - distance) < 3 * estimate.se
        assert abs(line.value - distance) < 3 * line.se
        errors.append((estimate.corrected - distance, line.value - distance))
        plain.append((estimate.value - distance) / estimate.se)
    # of 8 seeds the mean error is within three of its own standard errors too
    spread = np.std(errors, axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(np.mean(errors, axis=0)) < 3 * spread).all()
    if distance == 0:
        assert min(plain) > 3  # uncorrected values fail the bar above
        assert (spread < 0.015).all()  # and the bars are far below the 0.08 it is off


def test_the_line_and_its_error_are_those_of_a_slow_twin():
    C = 24
    ids = names(C)
    real, generated = gaussian_clips(C, 5, D=3), gaussian_clips(C, 6, D=3, distance=0.5)
    group = assign_groups(ids, num_groups=5)
    found = fad_inf(real, generated, group, ids, seed=9)
    # 15 sizes linear in 1/n from 24/5 to 24, rounded, once each
    assert list(found.sizes) == [5, 6, 7, 8, 9, 10, 11, 13, 15, 19, 24]
    rng = generator(9, Stream.FAD_SUBSETS)
    orders = [rng.permutation(C) for _ in range(5)]

    def line(orders, left_out):
        x, y = [], []
        for order in orders:
            for size in found.sizes:
                kept = [i for i in order[:size] if group[i] != left_out]
                pair = [np.concatenate([z[i] for i in kept]) for z in (real, generated)]
                x.append(1 / len(kept))
                y.append(frechet.frechet(*pair).value)
        return np.array(y), *np.polyfit(x, y, 1), np.corrcoef(x, y)[0, 1] ** 2

    distances, slope, intercept, r_squared = line(orders, None)
    # sums in another order: rounding alone
    np.testing.assert_allclose(found.distances.ravel(), distances, rtol=1e-9)
    assert found.value == pytest.approx(intercept, rel=1e-9)
    assert found.slope == pytest.approx(slope, rel=1e-9)
    assert found.r_squared == pytest.approx(r_squared, rel=1e-9)
    first = orders[:1]  # the error is a jackknife of the first order alone
    without = [line(first, g)[2] for g in range(5)]
    whole = line(first, None)[2]
    truth = from_leave_outs(whole, without, np.bincount(group)).se
    assert found.se == pytest.approx(truth, rel=1e-7)


def test_the_seed_alone_draws_the_subsets():
    ids = names(40)
    group = assign_groups(ids, num_groups=3)
    clips = gaussian_clips(40, 0, D=3), gaussian_clips(40, 1, D=3)
    a, b, c = (fad_inf(*clips, group, ids, seed=seed) for seed in (0, 0, 1))
    assert a.value == b.value != c.value
    whole = frechet.frechet(*map(np.concatenate, clips)).value
    np.testing.assert_allclose(a.distances[:, -1], whole, rtol=1e-9)


def test_values_at_one_size_can_be_compared():
    few, many = names(60), names(240)
    real, generated = gaussian_clips(240, 3), gaussian_clips(240, 4)
    own = at_size(real[:60], generated[:60], 60, few)
    whole = np.concatenate(real[:60]), np.concatenate(generated[:60])
    assert own == pytest.approx(frechet.frechet(*whole).value, rel=1e-9)
    common = at_size(real, generated, 60, many)
    assert common == at_size(real, generated, 60, many)
    assert common != at_size(real, generated, 60, many, seed=1)
    all_of_them = at_size(real, generated, 240, many)
    # equal distributions: the value goes as 1/n, so 240 clips have a quarter of it; one
    # draw of either has an sd of about a fifth
    assert common == pytest.approx(own, rel=0.5)
    assert all_of_them < 0.5 * common


@pytest.mark.filterwarnings("ignore:Matrix is:scipy.linalg.LinAlgWarning")
def test_single_clips_against_a_population():
    reference = np.concatenate(gaussian_clips(100, 1, D=12))
    clips = gaussian_clips(6, 2, D=12)
    clips[4] = clips[4] + 2.0
    clips[5] = clips[5][:1]
    found = per_clip(frechet.moments(reference), clips, names(6))
    covariance = np.cov(reference, rowvar=False)
    for x, value in zip(clips[:5], found[:5], strict=True):
        own = np.cov(x, rowvar=False)  # of rank 5 in 12 dimensions
        offset = x.mean(axis=0) - reference.mean(axis=0)
        root = np.trace(np.asarray(scipy.linalg.sqrtm(own @ covariance))).real
        truth = offset @ offset + np.trace(own) + np.trace(covariance) - 2 * root
        assert value == pytest.approx(truth, rel=1e-6)  # what sqrtm is good for here
    assert found[:5].argmax() == 4 and np.isnan(found[5])


def test_what_cannot_be_computed_is_refused():
    clips, ids = gaussian_clips(30, 0), names(30)
    group = assign_groups(ids)
    with pytest.raises(UserError, match="20 clips or more, got 19"):
        fad_inf(clips[:19], clips[:19], group[:19], ids[:19])
    with pytest.raises(UserError, match="there are 30"):
        at_size(clips, clips, 31, ids)
    bad = [*clips[:7], clips[7] * np.nan, *clips[8:]]
    for call in (
        lambda: fad_inf(clips, bad, group, ids),
        lambda: at_size(clips, bad, 10, ids),
        lambda: per_clip(frechet.moments(clips[0]), bad, ids),
    ):
        with pytest.raises(UserError, match="clip-0007"):
            call()

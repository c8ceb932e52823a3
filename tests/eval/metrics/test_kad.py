"""Kernel distance: a double loop, its expectation for Gaussians, its sign."""

import itertools

import numpy as np
import pytest

from stemjax.eval.metrics import kad as module
from stemjax.eval.metrics.kad import BandwidthOf, kad, median_distance
from stemjax.io.errors import UserError


def by_loops(x, y, sigma) -> float:
    """The definition, one kernel value at a time."""

    def k(a, b):
        return np.exp(-np.sum((a - b) ** 2) / (2 * sigma**2))

    def within(z):
        pairs = [k(a, b) for a, b in itertools.permutations(z, 2)]
        return np.mean(pairs)

    cross = np.mean([k(a, b) for a in x for b in y])
    return 100 * (within(x) + within(y) - 2 * cross)


def points(n: int, seed: int, mean: float = 0.0, scale: float = 1.0, D: int = 5):
    return mean + scale * np.random.default_rng(seed).normal(size=(n, D))


@pytest.mark.parametrize("tile", [1024, 7])  # one tile; many, of unequal sizes
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_a_direct_double_loop(monkeypatch, tile, offset):
    monkeypatch.setattr(module, "TILE", tile)
    x, y = points(50, 0, offset), points(40, 1, offset + 0.5, 1.3)
    sigma = np.median([np.linalg.norm(a - b) for a, b in itertools.combinations(x, 2)])
    found = kad(x, y)
    assert found.sigma == pytest.approx(sigma, rel=1e-12)
    # float64 sums of 2500 values; |a - b|^2 comes from products of a few units, once
    # the mean is off (at 1e5 with it on, they would be 1e-6 wrong)
    assert found.value == pytest.approx(by_loops(x, y, sigma), abs=1e-9)
    assert found.value > 1


def test_the_bandwidth_is_of_the_reference_unless_asked():
    x, y = points(50, 2), points(50, 3, scale=4.0)
    of_eval = kad(x, y, bandwidth_of=BandwidthOf.EVAL)
    assert kad(x, y).sigma == median_distance(x) != of_eval.sigma == median_distance(y)
    assert of_eval.value == pytest.approx(by_loops(x, y, median_distance(y)), abs=1e-9)
    # with one bandwidth the distance has no direction
    assert of_eval.value == pytest.approx(kad(y, x).value, rel=1e-9)


def test_a_large_set_has_its_median_from_a_seeded_subset(monkeypatch):
    monkeypatch.setattr(module, "MEDIAN_VECTORS", 100)
    x = points(600, 4)
    a, b, c = (median_distance(x, seed=seed) for seed in (0, 0, 1))
    assert a == b != c
    # near the median of |N(0, 2 I_5)|, sqrt(2 * 4.351); 100 vectors give 3 % or so
    assert a == pytest.approx(np.sqrt(2 * 4.351), rel=0.1)


def test_two_gaussians_have_the_distance_of_the_closed_form():
    shift, n = 0.5, 1500
    values, truths = [], []
    for seed in range(4):
        found = kad(points(n, 10 + seed), points(n, 20 + seed, shift))
        # E k of N(0, 2 I) + m in 5 dimensions: (s2 / (s2 + 2))^(5/2) e^(-m2/2(s2+2))
        s2, m2 = found.sigma**2, 5 * shift**2
        truths.append(200 * (s2 / (s2 + 2)) ** 2.5 * (1 - np.exp(-m2 / (2 * (s2 + 2)))))
        values.append(found.value)
    # one value has sd 0.5 of 6: four of them 4 %; the bar is 2.5 of that
    assert np.mean(values) == pytest.approx(np.mean(truths), rel=0.1)


def test_equal_distributions_give_about_zero_on_either_side():
    values = [kad(points(60, 2 * i), points(60, 2 * i + 1)).value for i in range(40)]
    assert min(values) < 0 < max(values)
    # unbiased: the mean is within three of its standard errors; with the diagonal in
    # the means (2 k(a, a) / 60) it would be 100 * 2 / 60 * 0.6 = 2 too large
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    assert 3 * np.std(values) / np.sqrt(40) < 0.5


def test_a_set_against_itself_is_below_zero():
    x = points(50, 7)
    found = kad(x, x)
    assert found.value < 0
    assert found.value == pytest.approx(by_loops(x, x, found.sigma), abs=1e-9)


def test_bad_sets_are_refused():
    x = points(10, 0)
    with pytest.raises(UserError, match="generated embeddings of shape"):
        kad(x, x[:1])
    with pytest.raises(UserError, match="generated embeddings of shape"):
        kad(x, x[:, :3])
    with pytest.raises(UserError, match="NaN or infinity in the reference"):
        kad(x * np.nan, x)
    with pytest.raises(UserError, match="reference set is equal"):
        kad(np.ones((10, 5)), x)

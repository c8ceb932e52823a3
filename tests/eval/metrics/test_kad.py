"""Kernel distance: a double loop, its expectation for Gaussians, its sign."""

import itertools

import numpy as np
import pytest

from stemjax.eval.metrics import kad as module
from stemjax.eval.metrics.jackknife import assign_groups
from stemjax.eval.metrics.kad import kad, median_distance
from stemjax.eval.metrics.score import frechet_entry
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
    result = kad(x, y)
    assert result.sigma == pytest.approx(sigma, rel=1e-12)
    # float64 sums of 2500 values; |a - b|^2 comes from products of a few units, once
    # the mean is off (at 1e5 with it on, they would be 1e-6 wrong)
    assert result.value == pytest.approx(by_loops(x, y, sigma), abs=1e-9)
    assert result.value > 1


def test_the_bandwidth_is_that_of_the_reference():
    x, y = points(50, 2), points(50, 3, scale=4.0)
    assert kad(x, y).sigma == median_distance(x) != median_distance(y)
    swapped = kad(y, x)
    assert swapped.sigma == median_distance(y)
    # with one bandwidth the distance has no direction
    by_hand = by_loops(x, y, median_distance(y))
    assert swapped.value == pytest.approx(by_hand, abs=1e-9)


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
        result = kad(points(n, 10 + seed), points(n, 20 + seed, shift))
        # E k of N(0, 2 I) + m in 5 dimensions: (s2 / (s2 + 2))^(5/2) e^(-m2/2(s2+2))
        s2, m2 = result.sigma**2, 5 * shift**2
        truths.append(200 * (s2 / (s2 + 2)) ** 2.5 * (1 - np.exp(-m2 / (2 * (s2 + 2)))))
        values.append(result.value)
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
    result = kad(x, x)
    assert result.value < 0
    assert result.value == pytest.approx(by_loops(x, x, result.sigma), abs=1e-9)


def test_bad_sets_are_refused():
    x = points(10, 0)
    with pytest.raises(UserError, match="generated embeddings of shape"):
        kad(x, x[:1])
    with pytest.raises(UserError, match="generated embeddings of shape"):
        kad(x, x[:, :3])
    with pytest.raises(UserError, match="NaN or infinity in the reference"):
        kad(x * np.nan, x)
    with pytest.raises(UserError, match="reference set are equal"):
        kad(np.ones((10, 5)), x)


def test_a_reference_that_is_mostly_equal_has_no_bandwidth():
    rng = np.random.default_rng(0)
    silence = np.tile(rng.normal(size=64), (60, 1))  # its distances are rounding errors
    reference = np.concatenate([silence, points(20, 1, D=64)])
    assert median_distance(reference) == 0.0
    with pytest.raises(
        UserError, match="KAD: most vectors of the reference set are eq"
    ):
        kad(reference, points(30, 2, D=64))
    assert median_distance(np.concatenate([reference, points(80, 3, D=64)])) > 1


def test_the_other_numbers_stand_without_a_kernel_distance():
    silence = np.zeros((3, 4))
    real = [silence] * 6 + [points(3, k, D=4) for k in range(2)]
    generated = [points(3, 10 + k, D=4) for k in range(8)]
    ids = [f"{k}" for k in range(8)]
    entry = frechet_entry(real, generated, assign_groups(ids, seed=0), ids)
    assert entry["kad"] is None and "no bandwidth" in entry["kad_reason"]
    assert entry["value"] > 0 and entry["relative"] > 0
    assert "kad_reason" not in frechet_entry(
        generated, real, assign_groups(ids, seed=0), ids
    )

"""The jackknife: tables by hand, statistics whose variance and bias are known."""

import numpy as np
import pytest

from stemjax.eval.metrics import frechet
from stemjax.eval.metrics.jackknife import (
    assign_groups,
    difference,
    from_leave_outs,
    jackknife,
)
from stemjax.io.errors import UserError


def names(count: int) -> list[str]:
    return [f"clip-{i:04d}" for i in range(count)]


def test_equal_groups_by_hand():
    found = from_leave_outs(10.0, [9.0, 10.0, 12.0], [5, 5, 5])
    assert found.corrected == pytest.approx(3 * 10 - 2 * 31 / 3)
    # 2/3 of the squares about 31/3: 16/9 + 1/9 + 25/9
    assert found.se == pytest.approx(np.sqrt(2 / 3 * 42 / 9))


def test_unequal_groups_by_hand():
    # n = 4, h = (4, 4/3); corrected = 2*10 - 3/4*9 - 1/4*14; the pseudo-values are
    # 4*10 - 3*9 = 13 and 4/3*10 - 1/3*14 = 26/3; squares over h - 1 = (3, 1/3)
    found = from_leave_outs(10.0, [9.0, 14.0], [1, 3])
    assert found.corrected == pytest.approx(9.75)
    variance = ((13 - 9.75) ** 2 / 3 + (26 / 3 - 9.75) ** 2 * 3) / 2
    assert found.se == pytest.approx(np.sqrt(variance))


def test_leaving_one_out_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(0).exponential(size=40)
    found = jackknife(lambda kept: x[kept].mean(), np.arange(40))
    # identities of algebra: rounding alone
    assert found.se == pytest.approx(x.std(ddof=1) / np.sqrt(40), rel=1e-12)
    assert found.corrected == pytest.approx(found.value, rel=1e-12)


@pytest.mark.parametrize("sizes", [[10] * 20, [4] * 10 + [16] * 10])
def test_the_squared_error_of_a_mean_is_unbiased(sizes):
    group = np.repeat(np.arange(20), sizes)
    rng = np.random.default_rng(1)

    def variance(x):
        return jackknife(lambda kept: x[kept].mean(), group).se ** 2

    found = np.mean([variance(rng.normal(size=200)) for _ in range(600)])
    # of 19 degrees of freedom: sqrt(2 / 19) / sqrt(600) = 1.3 % sd, more if unequal;
    # the formula for equal groups is 43 % too large on the second sizes
    assert found == pytest.approx(1 / 200, rel=0.06)


@pytest.mark.parametrize("count", [400, 47])  # 47 in 20 groups: of two and of three
def test_a_bias_of_one_over_n_is_removed_whole(count):
    group = assign_groups(names(count))
    found = jackknife(lambda kept: 3.0 + 7.0 / kept.sum(), group)
    assert found.value == pytest.approx(3 + 7 / count)
    assert found.corrected == pytest.approx(3, abs=1e-12)


def test_the_variance_over_n_becomes_that_over_n_minus_one():
    x = np.random.default_rng(2).normal(size=30)
    found = jackknife(lambda kept: x[kept].var(), np.arange(30))
    assert found.corrected == pytest.approx(x.var(ddof=1), rel=1e-12)


def test_groups_are_balanced_seeded_and_belong_to_the_ids():
    ids = names(87)
    group = assign_groups(ids, seed=4)
    assert sorted(np.bincount(group)) == [4] * 13 + [5] * 7
    np.testing.assert_array_equal(group, assign_groups(ids, seed=4))
    assert (group != assign_groups(ids, seed=5)).mean() > 0.8
    np.testing.assert_array_equal(group[::-1], assign_groups(ids[::-1], seed=4))
    assert len(np.unique(np.diff(group))) > 5  # not dealt in order
    # the stream of Philox is fixed: these groups are the same on any machine
    assert list(assign_groups(names(6), num_groups=3)) == [2, 0, 1, 1, 2, 0]
    assert sorted(assign_groups(names(7))) == list(range(7))
    with pytest.raises(UserError, match="clip-0001: the id occurs twice"):
        assign_groups([*names(3), "clip-0001"])


def test_one_group_has_a_value_and_no_error():
    found = jackknife(lambda kept: float(kept.sum()), assign_groups(["only"]))
    assert found.value == 1 and np.isnan(found.se) and np.isnan(found.corrected)


def two_systems():
    """Real clips, a good system close to them and a worse one with the same errors."""
    rng = np.random.default_rng(3)
    real = rng.normal(size=(120, 1, 6)) + 0.5 * rng.normal(size=(120, 8, 6))
    good = real + 0.5 * rng.normal(size=(120, 1, 6)) + 0.4
    return list(real), list(good), list(good * 1.05 + 0.1)


def test_a_paired_difference_is_surer_than_two_values():
    real, good, worse = two_systems()
    ids = names(120)
    group = assign_groups(ids)
    of_good = frechet.group_statistic(real, good, group, ids)
    of_worse = frechet.group_statistic(real, worse, group, ids)
    a, b = jackknife(of_worse, group), jackknife(of_good, group)
    found = difference(a, b)
    twin = jackknife(lambda kept: of_worse(kept) - of_good(kept), group)
    for field in ("value", "se", "corrected"):
        truth = pytest.approx(getattr(twin, field), rel=1e-9)
        assert getattr(found, field) == truth
    assert found.value > 0
    assert found.se < 0.5 * np.hypot(a.se, b.se)  # what unpaired values would give


def test_differences_need_one_assignment():
    a = from_leave_outs(1.0, [1.0, 1.0], [2, 3])
    b = from_leave_outs(1.0, [1.0, 1.0, 1.0], [2, 2, 1])
    with pytest.raises(ValueError, match="assignment"):
        difference(a, b)

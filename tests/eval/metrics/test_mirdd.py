"""MIRDD: divergences by hand and against scipy, its null and its jackknife."""

import itertools

import numpy as np
import pytest
from scipy import stats

from stemjax.eval.metrics.histograms import DESCRIPTORS, Descriptor, block_slices
from stemjax.eval.metrics.jackknife import assign_groups, from_leave_outs
from stemjax.eval.metrics.mirdd import divergences, mirdd

TWO = (Descriptor("two", 2),)


def random_rows(rng, n, weights=None):
    """[n, B] one-hot in each block; `weights(num_bins)` of the bins, else uniform."""
    parts = []
    for descriptor in DESCRIPTORS:
        p = weights(descriptor.num_bins) if weights else None
        values = rng.choice(descriptor.num_bins, n, p=p)
        parts.append(np.eye(descriptor.num_bins)[values])
    return np.concatenate(parts, axis=1)


def rising(num_bins):
    return np.arange(1, num_bins + 1) / np.arange(1, num_bins + 1).sum()


def plain_kl(p, q):
    return sum(a * np.log(a / b) for a, b in zip(p, q, strict=True))


def test_kl_by_hand():
    """One clip on each side smooths [.5, .5] and [0, 1] to [.5, .5] and [.25, .75]."""
    result = divergences(np.array([0.5, 0.5]), np.array([0.0, 1.0]), 1, TWO)
    # 0.5 ln(0.5 / 0.25) + 0.5 ln(0.5 / 0.75), and the other way round
    assert result.kl[0] == pytest.approx(0.143841, abs=1e-6)
    assert result.reverse[0] == pytest.approx(0.130812, abs=1e-6)
    assert result.symmetric[0] == pytest.approx((0.143841 + 0.130812) / 2, abs=1e-6)


def test_laplace_by_hand():
    """(n P + 0.5) / (n + 0.5 B): 3 of 4 clips in the first of 2 bins give 3.5 / 5."""
    result = divergences(np.array([0.75, 0.25]), np.array([0.0, 1.0]), 4, TWO)
    p, q = (0.7, 0.3), (0.1, 0.9)
    assert result.kl[0] == pytest.approx(plain_kl(p, q), abs=1e-12)
    assert result.reverse[0] == pytest.approx(plain_kl(q, p), abs=1e-12)


@pytest.mark.parametrize("n", [3, 400])
def test_scipy_has_the_same_divergences(n):
    rng = np.random.default_rng(n)
    table = (Descriptor("a", 5), Descriptor("b", 24, has_none=True))
    p, q = (
        np.concatenate([rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(24))])
        for _ in range(2)
    )
    result = divergences(p, q, n, table)
    for k, (descriptor, place) in enumerate(block_slices(table)):
        size = descriptor.num_bins
        a, b = ((n * v[place] + 0.5) / (n + 0.5 * size) for v in (p, q))
        middle = (a + b) / 2
        js = (stats.entropy(a, middle) + stats.entropy(b, middle)) / 2
        assert result.kl[k] == pytest.approx(stats.entropy(a, b), abs=1e-9)
        assert result.reverse[k] == pytest.approx(stats.entropy(b, a), abs=1e-9)
        assert result.js[k] == pytest.approx(js, abs=1e-9)
        assert result.symmetric[k] == (result.kl[k] + result.reverse[k]) / 2
        assert 0 < result.js[k] < np.log(2)


def test_kernel_blurs_neighbours_but_not_none():
    """Ordinal bins one step apart are nearer than far ones; NONE is equally far."""
    table = (Descriptor("range", 31, has_none=True, kernel_sd=2.0),)
    rows = np.eye(31)
    at = {
        other: divergences(rows[10], rows[other], 1000, table).js[0]
        for other in (11, 13, 25, 30)
    }
    assert 0 < at[11] < at[13] < at[25] <= at[30] + 1e-9
    assert at[30] == pytest.approx(np.log(2), abs=0.05)
    plain = (Descriptor("range", 31, has_none=True),)
    assert divergences(rows[10], rows[11], 1000, plain).js[0] > 10 * at[11]


@pytest.mark.parametrize("value", [0, 10, 29])
def test_kernel_by_a_slow_twin(value):
    """A Gaussian of sd 2 bins around the value, all of it within the ordinal bins."""
    table = (Descriptor("range", 31, has_none=True, kernel_sd=2.0),)
    weights = [np.exp(-((b - value) ** 2) / 8) for b in range(30)]
    p = [(7 * w / sum(weights) + 0.5) / (7 + 15.5) for w in weights] + [0.5 / 22.5]
    q = [0.5 / 22.5] * 30 + [7.5 / 22.5]
    result = divergences(np.eye(31)[value], np.eye(31)[30], 7, table)
    assert result.kl[0] == pytest.approx(plain_kl(p, q), abs=1e-12)


def test_mean_nine_and_rows_of_the_table():
    rng = np.random.default_rng(1)
    real, generated = random_rows(rng, 30), random_rows(rng, 30, rising)
    result = mirdd(real, generated)
    direct = divergences(real.mean(axis=0), generated.mean(axis=0), 30)
    names = [descriptor.name for descriptor in DESCRIPTORS]
    assert list(result.by_descriptor) == names and result.n == 30
    kl = np.array([result.by_descriptor[name].kl for name in names])
    np.testing.assert_allclose(kl, direct.kl, rtol=1e-12)
    assert result.mirdd.estimate.value == pytest.approx(kl.mean(), rel=1e-12)
    assert result.mean.kl == result.mirdd.estimate.value
    assert result.mean.js == pytest.approx(direct.js.mean(), rel=1e-12)
    nine = [
        k
        for n, k in zip(names, kl, strict=True)
        if n not in ("structure", "beats_per_bar")
    ]
    assert result.mirdd_nine.estimate.value == pytest.approx(np.mean(nine), rel=1e-12)
    assert result.mirdd.adjusted == pytest.approx(
        result.mirdd.estimate.value - result.mirdd.null_mean, rel=1e-12
    )


def test_clips_weigh_the_same_however_many_notes_they_have():
    """The population is the mean of clips: one clip of many notes is one clip."""
    one, other = (np.zeros(sum(d.num_bins for d in DESCRIPTORS)) for _ in range(2))
    for _, place in block_slices(DESCRIPTORS):
        one[place.start], other[place.start + 1] = 1, 1
    mixed = mirdd(np.stack([one, other]), np.stack([other, one]))
    assert mixed.mirdd.estimate.value == 0


def test_the_null_of_two_pairs_is_its_four_swaps():
    """Each of the four swaps has chance 1/4: the quantiles are theirs, exactly."""
    rng = np.random.default_rng(5)
    real, generated = random_rows(rng, 2), random_rows(rng, 2, rising)
    values = []
    for swaps in itertools.product([False, True], repeat=2):
        is_swapped = np.array(swaps)[:, None]
        p = np.where(is_swapped, generated, real).mean(axis=0)
        q = np.where(is_swapped, real, generated).mean(axis=0)
        values.append(divergences(p, q, 2).kl.mean())
    result = mirdd(real, generated).mirdd
    assert result.null_95 == pytest.approx(max(values), rel=1e-9)
    # 200 draws: the mean is within 4 standard errors
    assert result.null_mean == pytest.approx(
        np.mean(values), abs=4 * np.std(values) / 200**0.5
    )
    assert min(values) <= result.null_median <= max(values)


def test_the_null_covers_populations_of_one_kind():
    """Of 60 pairs of populations, about 5 % lie above their null's 95 % point.

    With chance 0.05 more than 9 of 60 has a probability of 0.2 %.
    """
    rng = np.random.default_rng(7)
    above, below_median = 0, 0
    for _ in range(60):
        result = mirdd(random_rows(rng, 40, rising), random_rows(rng, 40, rising)).mirdd
        above += result.estimate.value > result.null_95
        below_median += result.estimate.value < result.null_median
    assert above <= 9
    assert 15 <= below_median <= 45  # half, within 4 sd


def test_the_null_swaps_within_pairs():
    """Where the members of each pair agree nothing can be swapped, whatever the pairs."""
    rows = random_rows(np.random.default_rng(2), 20)
    result = mirdd(rows, rows)
    assert result.mirdd.null_95 == 0
    shuffled = mirdd(rows, rows[::-1])
    assert shuffled.mirdd.estimate.value == pytest.approx(0, abs=1e-12)
    assert shuffled.mirdd.null_median > 0.01


def test_the_jackknife_is_that_of_deleted_pairs():
    rng = np.random.default_rng(3)
    real, generated = random_rows(rng, 50), random_rows(rng, 50, rising)
    group = assign_groups([f"clip{i}" for i in range(50)])
    result = mirdd(real, generated, group=group).mirdd.estimate
    leave_outs = []
    for g in range(20):
        kept = group != g
        p, q = real[kept].mean(axis=0), generated[kept].mean(axis=0)
        leave_outs.append(divergences(p, q, int(kept.sum())).kl.mean())
    np.testing.assert_allclose(result.groups, leave_outs, rtol=1e-9)
    np.testing.assert_array_equal(result.sizes, np.bincount(group))
    expected = from_leave_outs(result.value, np.array(leave_outs), np.bincount(group))
    assert result.se == pytest.approx(expected.se, rel=1e-6)
    assert result.corrected == pytest.approx(expected.corrected, rel=1e-6)


def test_the_standard_error_is_the_spread_of_populations():
    """Mean jackknife error of 40 pairs of populations against their spread.

    The spread of 40 values is known to 11 %, and the jackknife is conservative.
    """
    rng = np.random.default_rng(11)
    values, errors, corrected = [], [], []
    for _ in range(40):
        estimate = mirdd(
            random_rows(rng, 100), random_rows(rng, 100, rising)
        ).mirdd.estimate
        values.append(estimate.value)
        errors.append(estimate.se)
        corrected.append(estimate.corrected)
    assert 0.75 < np.mean(errors) / np.std(values) < 1.6
    # the true divergence, seen in populations of 10^6: the bias is mostly gone
    truth = divergences(
        np.concatenate([np.full(d.num_bins, 1 / d.num_bins) for d in DESCRIPTORS]),
        np.concatenate([rising(d.num_bins) for d in DESCRIPTORS]),
        10**6,
    ).kl.mean()
    assert abs(np.mean(corrected) - truth) < abs(np.mean(values) - truth) / 2


def test_groups_of_unequal_and_missing_numbers():
    """Any labels do; one group or one clip leaves the error unknown, not the value."""
    rng = np.random.default_rng(4)
    real, generated = random_rows(rng, 7), random_rows(rng, 7)
    labels = np.array([5, 5, 5, 9, 9, 2, 2])
    estimate = mirdd(real, generated, group=labels).mirdd.estimate
    np.testing.assert_array_equal(estimate.sizes, [2, 3, 2])
    assert estimate.se > 0
    for result in (
        mirdd(real, generated, group=np.zeros(7, int)),
        mirdd(real[:1], generated[:1]),
    ):
        assert np.isnan(result.mirdd.estimate.se)
        assert result.mirdd.estimate.value > 0


def test_a_larger_population_is_subsampled():
    rng = np.random.default_rng(6)
    real = random_rows(rng, 24)
    one = random_rows(rng, 1)
    equal = mirdd(real, np.repeat(one, 24, axis=0))
    larger = mirdd(real, np.repeat(one, 60, axis=0))
    # all subsets of equal rows are the same
    assert larger.mirdd.estimate.value == pytest.approx(
        equal.mirdd.estimate.value, rel=1e-9
    )
    assert larger.n == 24 and isinstance(larger.n, int)
    assert larger.by_descriptor["key"].kl == pytest.approx(
        equal.by_descriptor["key"].kl, rel=1e-9
    )
    # the bias of n = 24 on both sides, not that of 400 against 24
    same_kind = mirdd(random_rows(rng, 24), random_rows(rng, 400)).mirdd
    assert 0.5 * same_kind.null_95 < same_kind.estimate.value < 1.2 * same_kind.null_95
    again = mirdd(real, np.repeat(one, 60, axis=0))
    assert again.mirdd.estimate.se == larger.mirdd.estimate.se


def test_repeats_and_seeds():
    rng = np.random.default_rng(8)
    real, generated = random_rows(rng, 25), random_rows(rng, 25)
    first, again = mirdd(real, generated), mirdd(real, generated)
    other = mirdd(real, generated, seed=1)
    assert first.mirdd.null_95 == again.mirdd.null_95
    assert first.mirdd.null_mean != other.mirdd.null_mean
    assert first.mirdd.estimate.value == other.mirdd.estimate.value


@pytest.mark.parametrize("shape", [(4, 10), (0, 345)])
def test_wrong_rows_are_refused(shape):
    rows = random_rows(np.random.default_rng(0), 4)
    with pytest.raises(ValueError, match=r"need \[N >= 1, "):
        mirdd(rows, np.zeros(shape))

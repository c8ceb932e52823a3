"""Frechet distance: closed forms, scipy's matrix square root, invariances, merging."""

import numpy as np
import pytest
import scipy.linalg
from scipy.stats import ortho_group

from stemjax.eval.metrics import frechet
from stemjax.eval.metrics.frechet import (
    Moments,
    frechet_from_moments,
    leave_one_out,
    merge,
)
from stemjax.io.errors import UserError


def exact(mean, covariance, n: int = 1000) -> Moments:
    """Moments whose mean and covariance are these."""
    mean = np.asarray(mean, float)
    return Moments(n, mean, np.asarray(covariance, float) * (n - 1))


def sample(n: int, D: int, seed: int, mean: float = 0.0) -> np.ndarray:
    """Correlated vectors [n, D] with variances falling as 1/d, like an embedding's."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(D, D)) / np.sqrt(D) / np.sqrt(np.arange(1, D + 1))
    return rng.normal(size=(n, D)) @ mix + mean


def by_sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    """The definition, with scipy's root of the product."""
    covariances = [np.cov(z, rowvar=False) for z in (x, y)]
    root = np.asarray(scipy.linalg.sqrtm(covariances[0] @ covariances[1]))
    offset = x.mean(axis=0) - y.mean(axis=0)
    traces = sum(np.trace(c) for c in covariances)
    return float(offset @ offset + traces - 2 * np.trace(root).real)


# 1e-9: a well-conditioned root in float64 loses a few digits of 1e-16, no more


def test_two_shifted_unit_gaussians():
    m = np.array([0.5, -1.0, 2.0, 0.25])
    found = frechet_from_moments(exact(np.zeros(4), np.eye(4)), exact(m, np.eye(4)))
    assert found.value == pytest.approx(m @ m, rel=1e-9)


@pytest.mark.parametrize("n", [1000, 5])  # the eigenvalue form, the SVD form
@pytest.mark.parametrize("is_rotated", [False, True])
def test_commuting_covariances(n, is_rotated):
    a, b = np.array([4.0, 1.0, 0.25, 9, 0]), np.array([1.0, 1.0, 2.25, 0, 0])
    m = np.array([1.0, 0, 0, 0, -2])
    turn = ortho_group.rvs(5, random_state=3) if is_rotated else np.eye(5)
    found = frechet_from_moments(
        exact(turn @ m, turn @ np.diag(a) @ turn.T, n),
        exact(np.zeros(5), turn @ np.diag(b) @ turn.T, n),
    )
    closed = m @ m + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)  # 5 + 1 + 0 + 1 + 9
    assert closed == 16
    # Zeros that a rotation makes 1e-16 have a root of 1e-8: more than 1e-9 is lost
    # there, less than the 1e-6 that the distance promises for such covariances.
    assert found.value == pytest.approx(closed, rel=1e-7 if is_rotated else 1e-9)


@pytest.mark.filterwarnings("ignore:Matrix is:scipy.linalg.LinAlgWarning")
@pytest.mark.parametrize(
    "n, m, D",
    [
        (400, 300, 24),
        (30, 400, 24),
        (20, 400, 48),
        (400, 20, 48),
        (12, 20, 48),
    ],
)
def test_scipy_sqrtm(n, m, D):
    x, y = sample(n, D, seed=1), 1.2 * sample(m, D, seed=2, mean=0.1)
    # of a singular product sqrtm itself is only good to about 1e-7 (root of 1e-16 twice)
    truth = by_sqrtm(x, y)
    assert frechet.frechet(x, y).value == pytest.approx(truth, rel=1e-6)
    moments = frechet.moments(x), frechet.moments(y)
    assert frechet_from_moments(*moments).value == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize("m, D", [(20, 256), (60, 256), (400, 64)])
def test_dimensions_that_nothing_fills_change_nothing(m, D):
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(20, 19)), 1.3 * rng.normal(size=(m, 19)) + 0.2
    full = frechet.frechet(x, y).value  # of full rank, so by eigenvalues
    rows = ortho_group.rvs(D, random_state=1)[:19]
    # Exact but for rounding. The roots of eigenvalues that should be zero would be
    # 3e-8 off here, and 2e-9 if only those of the smaller Gram matrix were taken.
    assert frechet.frechet(x @ rows, y @ rows).value == pytest.approx(full, rel=1e-10)
    moments = frechet.moments(x @ rows), frechet.moments(y @ rows)
    assert frechet_from_moments(*moments).value == pytest.approx(full, rel=1e-10)
    swapped = frechet_from_moments(*moments[::-1])
    assert swapped.value == pytest.approx(full, rel=1e-10)
    assert frechet.gaussian(moments[0]).factor.shape == (19, D)


def test_two_points_each_are_the_lowest_rank():
    a, b = np.array([3.0, 1.0, 0.0, 2.0]), np.array([-1.0, 1.0, 5.0, 0.0])
    found = frechet.frechet(np.array([a, -a]), np.array([b, -b])).value
    # covariances 2 a a^T and 2 b b^T; the root of their product has trace 2 |a . b|
    assert found == pytest.approx(2 * (a @ a + b @ b) - 4 * abs(a @ b), rel=1e-9)


@pytest.mark.parametrize("n", [200, 10])
def test_invariances(n):
    x, y = sample(n, 16, seed=3), sample(n + 2, 16, seed=4, mean=0.3)
    base, trace = frechet.frechet(x, y).value, np.trace(np.cov(x, rowvar=False))
    turn = ortho_group.rvs(16, random_state=5)
    bar = {"rel": 0, "abs": 1e-7 * trace}  # as the roots: at most 1e-8 per dimension
    assert frechet.frechet(y, x).value == pytest.approx(base, **bar)
    assert frechet.frechet(x @ turn, y @ turn).value == pytest.approx(base, **bar)
    assert frechet.frechet(3 * x, 3 * y).value == pytest.approx(9 * base, **bar)
    assert frechet.frechet(x + 7, y + 7).value == pytest.approx(base, **bar)
    assert frechet.frechet(x, x[::-1]).value == pytest.approx(0, **bar)
    assert base > 0.1 * trace  # a stub that returns 0 passes none of the others


def test_a_population_and_itself_are_at_zero_and_the_raw_value_is_kept():
    x = sample(300, 32, seed=6)
    found = frechet.frechet(x, x)
    assert found.value >= 0 and abs(found.raw) < 1e-7 * np.trace(np.cov(x.T))
    assert found.value == max(found.raw, 0)
    tiny = frechet._distance(np.zeros(2), traces=1.0, root=0.5 + 4e-7)
    assert tiny.value == 0 and tiny.raw == pytest.approx(-8e-7)


def test_a_distance_that_cannot_be_rounding_raises():
    good = exact(np.zeros(3), np.eye(3))
    with pytest.raises(ArithmeticError, match="positive semi-definite"):
        frechet_from_moments(good, exact(np.zeros(3), -2 * np.eye(3)))


def test_bad_vectors_are_refused_by_name():
    clips = [sample(5, 3, seed=i) for i in range(3)]
    clips[1][2, 0] = np.nan
    with pytest.raises(UserError, match="song-b: NaN or infinity"):
        frechet.population(clips, ["song-a", "song-b", "song-c"])
    clips[1] = np.full((5, 3), np.inf)
    with pytest.raises(UserError, match="song-b"):
        frechet.population(clips, ["song-a", "song-b", "song-c"])
    clips[1] = np.zeros((0, 3))
    with pytest.raises(UserError, match="song-b: has no embedding"):
        frechet.population(clips, ["song-a", "song-b", "song-c"])
    clips[1] = np.zeros((5, 4))
    with pytest.raises(UserError, match="song-b: 4 dimensions, but song-a has 3"):
        frechet.population(clips, ["song-a", "song-b", "song-c"])
    with pytest.raises(UserError, match=r"\[N, D\]"):
        frechet.moments(np.zeros(3))
    with pytest.raises(UserError, match="two vectors"):
        frechet.frechet(np.zeros((1, 3)), clips[0])
    for x, y in ((clips[0], np.eye(4)), (np.eye(9)[:, :3], np.eye(9)[:, :4])):
        with pytest.raises(UserError, match="of 3 and of 4 dimensions"):
            frechet.frechet(x, y)
    with pytest.raises(UserError, match="moments"):
        frechet_from_moments(exact([np.nan], [[1.0]]), exact([0.0], [[1.0]]))


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("cuts", [[], [1], [3, 3, 50], [10, 20, 90, 119]])
def test_merging_parts_is_taking_all_at_once(offset, cuts):
    x = sample(120, 6, seed=7, mean=offset)
    parts = [frechet.moments(part) for part in np.split(x, cuts)]  # one may be empty
    found, whole = merge(parts), frechet.moments(x)
    assert found.n == 120
    np.testing.assert_allclose(found.mean, x.mean(axis=0), rtol=1e-13)
    # vectors at 1e4 are held to 1e-12, so the scatter of order 100 is; sums of squares
    # without a mean taken off would be wrong by 1e10 * 1e-16 * 120 = 1e-4
    np.testing.assert_allclose(found.scatter, whole.scatter, rtol=0, atol=1e-9)
    twin = 119 * np.cov(x, rowvar=False)
    np.testing.assert_allclose(found.scatter, twin, rtol=0, atol=1e-9)


def test_merging_is_a_fold_to_the_bit():
    parts = [frechet.moments(sample(9, 5, seed=i)) for i in range(8)]
    whole, streamed = merge(parts), merge([merge(parts[:3]), *parts[3:]])
    clips = [sample(9, 5, seed=i) for i in range(8)]
    in_order = frechet.population(clips, list("abcdefgh"))
    np.testing.assert_array_equal(in_order.scatter, whole.scatter)
    for a, b in zip(whole, streamed, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(whole.scatter, whole.scatter.T)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_leaving_each_part_out(count):
    x = [sample(4 + i, 5, seed=i, mean=i) for i in range(count)]
    x[0] = np.zeros((0, 5)) if count == 7 else x[0]
    found = leave_one_out([frechet.moments(part) for part in x])
    assert len(found) == count
    for i, part in enumerate(found):
        truth = frechet.moments(np.concatenate(x[:i] + x[i + 1 :]))
        assert part.n == truth.n
        np.testing.assert_allclose(part.mean, truth.mean, atol=1e-12)
        np.testing.assert_allclose(part.scatter, truth.scatter, atol=1e-11)


def test_the_statistic_of_groups_drops_the_same_clips_from_both():
    real = [sample(5, 4, seed=i) for i in range(12)]
    generated = [sample(6, 4, seed=100 + i, mean=0.5) for i in range(12)]
    group, ids = np.arange(12) % 4, [str(i) for i in range(12)]
    statistic = frechet.group_statistic(real, generated, group, ids)
    for is_kept in (group >= 0, group != 2, group == 1):
        twin = frechet.frechet(
            *(
                np.concatenate([x for x, keep in zip(xs, is_kept, strict=True) if keep])
                for xs in (real, generated)
            )
        )
        assert statistic(is_kept) == pytest.approx(twin.value, rel=1e-10)
    with pytest.raises(ValueError, match="in part"):
        statistic(np.arange(12) != 0)

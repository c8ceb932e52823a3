"""The distances against closed forms and slow peers, all in float64.

Each check states how far the code is from a truth found in another way, beside the most
that rounding may make of it.
"""

import itertools

import numpy as np
import scipy.linalg
from scipy.stats import entropy, ortho_group

from stemjax.eval.metrics import fad_inf, frechet, jackknife, kad, mirdd
from stemjax.eval.metrics.frechet import Moments
from stemjax.eval.metrics.histograms import Descriptor
from stemjax.eval.selftest.checks import Check, at_least, at_most
from tests.eval.metrics.golden_exact import exact_checks
from tests.eval.metrics.golden_front_end import front_end_checks

KNOWN_DISTANCES = (0.0, 0.9)  # of the Gaussian populations, whose trace is 3
MANY_CLIPS = 10**15  # beside which what smoothing adds is less than rounding


def golden_checks() -> list[Check]:
    """What is known to be true on any machine: front end, distances, exact answers."""
    return [*front_end_checks(), *distance_checks(), *exact_checks()]


def distance_checks() -> list[Check]:
    """All of this file."""
    return [
        *closed_form_frechet_checks(),
        *sqrtm_frechet_checks(),
        *invariance_checks(),
        *known_distance_checks(),
        *kad_checks(),
        *divergence_checks(),
    ]


def closed_form_frechet_checks() -> list[Check]:
    """Gaussians of commuting covariances: |dm|^2 + sum (sqrt a - sqrt b)^2."""
    rng = _rng(2)
    offset, zero, ones = rng.normal(size=24), np.zeros(24), np.ones(24)
    a, b = rng.uniform(0.1, 4, (2, 24))
    shifted = _distance(_exact(zero, np.diag(ones)), _exact(offset, np.diag(ones)))
    diagonal = _distance(_exact(zero, np.diag(a)), _exact(offset, np.diag(b)))
    truth = offset @ offset + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    off = abs(shifted / (offset @ offset) - 1), abs(diagonal / truth - 1)
    return [
        at_most("Frechet, shifted unit Gaussians", off[0], 1e-9),
        at_most("Frechet, diagonal covariances", off[1], 1e-9),
    ]


def sqrtm_frechet_checks() -> list[Check]:
    """Covariances of any kind against scipy's root of their product."""
    rng = _rng(3)
    offset = rng.normal(size=24)
    factors = rng.normal(size=(2, 48, 24)) / np.arange(1, 25)
    random = [_exact(m * offset, f.T @ f) for m, f in zip((0, 1), factors, strict=True)]
    turn = ortho_group.rvs(24, random_state=4)
    spectra = rng.uniform(0.1, 4, (2, 24))
    commuting = [
        _exact(m * offset, turn @ np.diag(s) @ turn.T)
        for m, s in zip((0, 1), spectra, strict=True)
    ]
    found = {}
    for name, pair in (("random", random), ("commuting", commuting)):
        covariances = [moments.scatter / (moments.n - 1) for moments in pair]
        truth = offset @ offset + sum(np.trace(c) for c in covariances)
        truth -= 2 * np.trace(scipy.linalg.sqrtm(covariances[0] @ covariances[1])).real
        found[name] = abs(_distance(*pair) / truth - 1)
    few = np.max(
        [_rank_deficient_error(*nm) for nm in ((20, 400), (20, 12), (12, 400))]
    )
    return [
        at_most("Frechet, random covariances vs sqrtm", found["random"], 1e-6),
        at_most("Frechet, rotated commuting vs sqrtm", found["commuting"], 1e-6),
        at_most("Frechet, fewer vectors than dimensions", few, 1e-6),
    ]


def _rank_deficient_error(n: int, m: int) -> float:
    """Relative, of n and m vectors in 48 dimensions.

    The root of S1 S2 has the trace of that of F S2 F^T, F^T F = S1, of full rank where F
    has the fewer rows: one less than the vectors of the smaller set.
    """
    x, y = _rng(4).normal(size=(n, 48)), 1.3 * _rng(5).normal(size=(m, 48)) + 0.2
    small, large = sorted((x, y), key=len)
    factor = scipy.linalg.helmert(len(small)) @ small / np.sqrt(len(small) - 1)
    product = factor @ np.cov(large, rowvar=False) @ factor.T
    offset = x.mean(axis=0) - y.mean(axis=0)
    truth = offset @ offset + sum(z.var(axis=0, ddof=1).sum() for z in (x, y))
    truth -= 2 * np.trace(scipy.linalg.sqrtm(product)).real
    by_vectors = frechet.frechet(x, y).value
    by_moments = _distance(frechet.moments(x), frechet.moments(y))
    return _largest(np.array([by_vectors, by_moments]) / truth - 1)


def invariance_checks() -> list[Check]:
    """What no change of order, of axes or of units may move, in shares of the trace."""
    rng = _rng(6)
    x, y = rng.normal(size=(200, 16)), 1.2 * rng.normal(size=(150, 16)) + 0.3
    x, y = x / np.arange(1, 17), y / np.arange(1, 17)
    turn, trace = ortho_group.rvs(16, random_state=7), x.var(axis=0, ddof=1).sum()

    def between(a, b):
        return frechet.frechet(a, b).value

    base = between(x, y)
    return [
        at_most(f"Frechet, {name}, of the trace", abs(wrong) / trace, 1e-7)
        for name, wrong in (
            ("sets swapped", between(y, x) - base),
            ("axes rotated", between(x @ turn, y @ turn) - base),
            ("scaled by 3", between(3 * x, 3 * y) - 9 * base),
            ("a set and itself", between(x, x)),
        )
    ]


def known_distance_checks() -> list[Check]:
    """Bias-corrected values of 120 clips whose true distance is known, in errors.

    An error too wide would hide anything.  So the jackknife's must show the bias that it
    takes off; FAD-inf's, several times wider, cannot, and what it leaves is bounded.
    """
    ids = [f"{k:03d}" for k in range(120)]
    group = jackknife.assign_groups(ids)
    real = _gaussian_clips(8, 0.0)
    checks = []
    for distance in KNOWN_DISTANCES:
        generated = _gaussian_clips(9, distance)
        statistic = frechet.group_statistic(real, generated, group, ids)
        estimate = jackknife.jackknife(statistic, group)
        line = fad_inf.fad_inf(real, generated, group, ids)
        for name, value, se in (
            ("jackknifed FAD", estimate.corrected, estimate.se),
            ("FAD-inf", line.value, line.se),
        ):
            off = abs(value - distance) / se
            checks.append(at_most(f"{name}, {distance:g} is true, error / SE", off, 3))
        if not distance:
            bias = estimate.value
            checks += [
                at_least(
                    "jackknifed FAD, the bias it takes off / SE", bias / estimate.se, 3
                ),
                at_most("FAD-inf, share of the bias left", abs(line.value) / bias, 0.5),
            ]
    return checks


def _gaussian_clips(seed: int, distance: float) -> list[np.ndarray]:
    """120 clips of vectors [6, 16], correlation 0.5 within a clip, variances 1/d."""
    rng = _rng(seed)
    scale = 1 / np.arange(1, 17)
    scale *= 3 / scale.sum()
    common, own = rng.normal(size=(120, 1, 16)), rng.normal(size=(120, 6, 16))
    vectors = np.sqrt(0.5) * (common + own) * np.sqrt(scale)
    vectors[..., 0] += np.sqrt(distance)
    return list(vectors)


def kad_checks() -> list[Check]:
    """The kernel distance of 50 and 40 points, one pair at a time."""
    rng = _rng(10)
    x, y = rng.normal(size=(50, 5)), 1.3 * rng.normal(size=(40, 5)) + 0.5
    within = itertools.combinations
    sigma = np.median([np.linalg.norm(a - b) for a, b in within(x, 2)])

    def mean_kernel(pairs):
        squares = [np.sum((a - b) ** 2) for a, b in pairs]
        return np.mean(np.exp(-np.array(squares) / (2 * sigma**2)))

    truth = mean_kernel(within(x, 2)) + mean_kernel(within(y, 2))
    truth -= 2 * mean_kernel(itertools.product(x, y))
    off = abs(kad.kad(x, y).value / (100 * truth) - 1)
    return [at_most("KAD of 50 points vs a double loop", off, 1e-5)]


def divergence_checks() -> list[Check]:
    """KL, JS and the smoothing of MIRDD."""
    halves, quarters = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    by_hand = 0.5 * np.log(4 / 3)  # 0.143841 nats
    of_two = mirdd.divergences(halves, quarters, MANY_CLIPS, (Descriptor("two", 2),))
    p, q = _rng(11).dirichlet(np.ones(12), 2)
    found = mirdd.divergences(p, q, MANY_CLIPS, (Descriptor("twelve", 12),))
    middle = (p + q) / 2
    truth = (
        entropy(p, q),
        entropy(q, p),
        (entropy(p, q) + entropy(q, p)) / 2,
        (entropy(p, middle) + entropy(q, middle)) / 2,
    )
    # of four clips: (4 + 1/2) / (4 + 1) and (0 + 1/2) / (4 + 1), against halves
    smoothed = mirdd.divergences(np.eye(2)[0], halves, 4, (Descriptor("two", 2),))
    of_smoothed = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)
    return [
        at_most("KL of [.5 .5] and [.25 .75]", _largest(of_two.kl - by_hand), 1e-9),
        at_most(
            "KL and JS vs scipy.stats.entropy",
            _largest(np.ravel(found) - np.array(truth)),
            1e-9,
        ),
        at_most("Laplace smoothing by hand", _largest(smoothed.kl - of_smoothed), 1e-9),
    ]


def _exact(mean: np.ndarray, covariance: np.ndarray, n: int = 1000) -> Moments:
    """Moments whose mean and covariance are these."""
    return Moments(n, mean, covariance * (n - 1))


def _distance(a: Moments, b: Moments) -> float:
    return frechet.frechet_from_moments(a, b).value


def _largest(errors: np.ndarray) -> float:
    """The largest magnitude; NaN if there is any."""
    return float(np.abs(errors).max())


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))

"""Delete-a-group jackknife over examples: standard errors and bias-corrected values.

A statistic of a population (FAD, MIRDD) is computed without each group of examples in
turn; an example is dropped from the real and the generated population alike.  With G
groups of m_g of the n examples, h_g = n / m_g, F the statistic and F_g that without g:

    corrected = G F - sum_g (1 - m_g / n) F_g
    se^2 = (1 / G) sum_g (h_g F - (h_g - 1) F_g - corrected)^2 / (h_g - 1)

(delete-m_j jackknife: Busing, Meijer and van der Leeden 1999, eq. 5 and 6).  For equal
groups these are G F - (G - 1) mean F_g and se^2 = (G - 1) / G sum_g (F_g - mean F_g)^2.
For groups of any sizes a bias of c / n is removed whole and the squared error of a mean
is unbiased.  A bootstrap is no substitute: repeated clips shrink the effective n, and
the bias of these distances grows with 1 / n.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.config.streams import Stream
from stemjax.io.errors import UserError
from stemjax.io.random import generator

NUM_GROUPS = 20


class Estimate(NamedTuple):
    """A statistic with its standard error; `corrected` has the bias of 1/n removed."""

    value: float
    se: float
    corrected: float
    groups: np.ndarray  # [G] the statistic without each group
    sizes: np.ndarray  # [G] examples in each group


def assign_groups(
    ids: Sequence[str], *, seed: int = 0, num_groups: int = NUM_GROUPS
) -> np.ndarray:
    """A random group of each id, [C] int from 0; sizes differ by one at most.

    Depends on the seed and the set of ids, not on their order.  Fewer ids than
    `num_groups` make a group each.

    Raises:
      UserError: an id given twice.
    """
    rank = {name: i for i, name in enumerate(sorted(ids))}
    if len(rank) < len(ids):
        twice = next(name for name in ids if list(ids).count(name) > 1)
        raise UserError(f"{twice}: the id occurs twice")
    rng = generator(seed, Stream.JACKKNIFE_GROUPS)
    group = rng.permutation(len(ids)) % min(num_groups, max(len(ids), 1))
    return group[[rank[name] for name in ids]]


def jackknife(statistic: Callable[[np.ndarray], float], group: np.ndarray) -> Estimate:
    """Estimate of a statistic by leaving out each group.

    statistic: is_kept [C] bool -> its value over the kept examples; called once with
      all kept and once for each group.
    group: [C] int, from `assign_groups`.
    """
    group = np.asarray(group)
    names, sizes = np.unique(group, return_counts=True)
    value = statistic(np.ones(len(group), bool))
    if len(names) < 2:
        return from_leave_outs(value, np.full(len(names), np.nan), sizes)
    return from_leave_outs(value, [statistic(group != g) for g in names], sizes)


def from_leave_outs(value: float, groups: np.ndarray, sizes: np.ndarray) -> Estimate:
    """Estimate from the statistic and its values without each group.

    groups: [G] values.  sizes: [G] examples in each group; equal weights give the
    formula for equal groups.  With fewer than two groups `se` and `corrected` are NaN.
    """
    groups, sizes = np.asarray(groups, np.float64), np.asarray(sizes)
    G = len(groups)
    if G < 2:
        return Estimate(float(value), np.nan, np.nan, groups, sizes)
    share = sizes / sizes.sum()
    # G F - sum (1 - share) F_g, where the coefficients of F_g sum to G - 1
    corrected = value + np.sum((1 - share) * (value - groups))
    h = 1 / share
    pseudo = value + (h - 1) * (value - groups)
    variance = np.mean((pseudo - corrected) ** 2 / (h - 1))
    return Estimate(float(value), float(variance**0.5), float(corrected), groups, sizes)


def student_interval(
    estimate: Estimate, *, level: float = 0.95
) -> tuple[float, float] | None:
    """Two-sided confidence interval of an estimate: value -+ t se.

    t is Student's quantile with one degree of freedom less than there are groups.

    Returns: (low, high); None with fewer than two groups.
    """
    from scipy import stats

    degrees = len(estimate.groups) - 1
    if degrees < 1:
        return None
    half = float(stats.t.ppf((1 + level) / 2, degrees)) * estimate.se
    return estimate.value - half, estimate.value + half


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Paired difference a - b of two systems on the same examples and groups.

    What the systems share (the real clips, hard contexts) cancels within each group, so
    the standard error is that of the difference, not of two independent values.

    Raises:
      ValueError: estimates from different groups.
    """
    if not np.array_equal(a.sizes, b.sizes):
        raise ValueError("a paired difference needs one assignment of ids to groups")
    return from_leave_outs(a.value - b.value, a.groups - b.groups, a.sizes)

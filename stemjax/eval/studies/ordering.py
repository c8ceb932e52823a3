"""Check the row orderings that the paper reports (StemGen, sec. 3.2, tables 1 to 3).

Rows of a table are scored on the same examples, so the jackknife of `score` leaves out
the same examples in every row.  A claim is tested by the paired difference within these
groups (`compare`): the shared real clips and contexts cancel, so the standard error is
usually smaller than that of two independent values.  Rows scored on different examples
raise an error.
"""

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.metrics import Metric
from stemjax.config.sweeps import Claim
from stemjax.eval.metrics.compare import CLEAR, compare
from stemjax.io.errors import UserError


class Ordering(enum.Enum):
    """Whether one row scores below another, beyond noise."""

    YES = "yes"
    NO = "no"
    NOISE = "within noise"
    MISSING = "n/a"


class OrderingTest(NamedTuple):
    """Result of testing one claim by one metric."""

    answer: Ordering
    """Whether the first row scores below the second."""
    difference: float
    """Value of the lower row minus that of the higher row; NaN if MISSING."""
    se: float
    """Standard error of the difference; NaN if MISSING."""
    holds: bool | None
    """Whether the claim holds: YES, or NOISE if not strict. None if MISSING."""


class CheckedClaim(NamedTuple):
    """A claim with its test by one metric."""

    claim: Claim
    """The ordering that the paper reports."""
    metric: Metric
    """Metric by which the rows are compared."""
    test: OrderingTest
    """Result of the comparison."""


UNTESTED = OrderingTest(Ordering.MISSING, math.nan, math.nan, None)


def check(
    lower: Mapping[str, Any], higher: Mapping[str, Any], metric: Metric, strict: bool
) -> OrderingTest:
    """Test whether the report `lower` scores below `higher`, beyond noise.

    A difference of at most two standard errors, 0 included, is NOISE for "<" and "<="
    alike.  `strict` decides what noise means for the claim: "<" needs a clear
    difference; "<=" fails only for a clear difference the other way.

    Args:
      lower, higher: reports of `stemjax.eval.metrics.score.score`.

    Raises:
      UserError: reports with different examples, seeds or versions of the metric.
    """
    of_lower, of_higher = (
        {**report, "metrics": {metric.value: report["metrics"].get(metric.value, {})}}
        for report in (lower, higher)
    )
    entry = compare(of_lower, of_higher).get(metric.value)
    if entry is None or not math.isfinite(entry["difference"] + entry["se"]):
        return UNTESTED
    difference, se = entry["difference"], entry["se"]
    if abs(difference) <= CLEAR * se:
        return OrderingTest(Ordering.NOISE, difference, se, not strict)
    is_lower = difference < 0
    return OrderingTest(
        Ordering.YES if is_lower else Ordering.NO, difference, se, is_lower
    )


def check_all(
    reports: Mapping[str, Mapping[str, Any]],
    claims: Mapping[Metric, Sequence[Claim]],
) -> list[CheckedClaim]:
    """Test every claim by its metric; the result is MISSING if a row has no report.

    Args:
      reports: row name -> report of `score`.

    Raises:
      UserError: as `check`; the message names the two rows.
    """
    checks = []
    for metric, of_metric in claims.items():
        for claim in of_metric:
            pair = [reports.get(name) for name in (claim.lower, claim.higher)]
            if None in pair:
                test = UNTESTED
            else:
                try:
                    test = check(*pair, metric, claim.strict)
                except UserError as error:
                    rows = f"rows {claim.lower!r} and {claim.higher!r}"
                    raise UserError(f"{rows}: {error}") from None
            checks.append(CheckedClaim(claim, metric, test))
    return checks


def rank_agreement(
    reports: Sequence[Mapping[str, Any]],
    paper: Sequence[float | None],
    metric: Metric,
) -> float | None:
    """Kendall's tau-b of our values and the paper's: 1 same order, -1 reversed.

    With s_ij the sign of the difference of rows i and j, tau-b is sum s_ij s'_ij over
    the root of (sum s_ij^2)(sum s'_ij^2), so tied pairs add nothing to the sum (Kendall
    1945).  It ignores standard errors; see `check` for those.

    Args:
      reports: one per row.
      paper: [R] values of the same rows in the paper.  Rows that lack either value are
        left out.

    Returns:
      None with fewer than two rows, or if all rows of one side are tied.
    """
    entries = [report["metrics"].get(metric.value, {}) for report in reports]
    both = [
        (entry["value"], published)
        for entry, published in zip(entries, paper, strict=True)
        if entry.get("value") is not None and published is not None
    ]
    if len(both) < 2:
        return None
    values = np.asarray(both, np.float64).T  # [2, R]
    ours, published = np.sign(values[:, :, None] - values[:, None, :])  # [R, R] each
    scale = np.sqrt(np.sum(ours**2) * np.sum(published**2))
    return float(np.sum(ours * published) / scale) if scale else None

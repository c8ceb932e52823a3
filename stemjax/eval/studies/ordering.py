"""Do the rows of a table lie in the paper's order (StemGen, sec. 3.2, tables 1 to 3)?

Rows of one table are scored on the same examples, so the jackknife of `score` left out
the same examples together in every row.  A claim is judged by the difference within
those groups (`compare`): what rows share, the real clips and the hard contexts, cancels,
and its standard error is mostly smaller than that of two independent values.  Rows of
other examples have no such difference and are refused, not judged more loosely.
"""

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.claims import Claim
from stemjax.config.metrics import TITLES, Metric
from stemjax.eval.metrics.compare import CLEAR, compare
from stemjax.eval.reports.report import as_markdown
from stemjax.io.errors import UserError

NOTE = (
    f"yes and no: the paired difference is over {CLEAR:g} standard errors (delete-a-group"
    " jackknife over the shared examples); up to that the answer is within noise, and a"
    ' claim of "<=" holds, one of "<" does not. Each claim is judged alone: of twenty'
    " true ties about one is called clear."
)


class Answer(enum.Enum):
    """Whether one row scores below another."""

    YES = "yes"
    NO = "no"
    NOISE = "within noise"
    MISSING = "n/a"


class Verdict(NamedTuple):
    """A claim's answer with the evidence."""

    answer: Answer
    difference: float
    """lower - higher; NaN where the answer is MISSING."""
    se: float
    holds: bool | None
    """Whether the claim stands: YES, or NOISE where it is not strict; None if MISSING."""


class Check(NamedTuple):
    """A claim judged by one metric."""

    claim: Claim
    metric: Metric
    verdict: Verdict


def check(
    lower: Mapping[str, Any], higher: Mapping[str, Any], metric: Metric, strict: bool
) -> Verdict:
    """Does the report `lower` score below `higher`, beyond the noise of the examples?

    The answer does not depend on `strict`: a difference of two standard errors or less,
    0 among them, is NOISE for "<" and "<=" alike.  `strict` decides what noise means
    for the claim: "<" needs a clear difference, "<=" is only broken by a clear one the
    other way.

    lower, higher: reports of `stemjax.eval.metrics.score.score`.

    Raises:
      UserError: reports of other examples, seeds of groups, or versions of the metric.
    """
    of_lower, of_higher = (
        {**report, "metrics": {metric.value: report["metrics"].get(metric.value, {})}}
        for report in (lower, higher)
    )
    found = compare(of_lower, of_higher).get(metric.value)
    if found is None or not math.isfinite(found["difference"] + found["se"]):
        return Verdict(Answer.MISSING, math.nan, math.nan, None)
    difference, se = found["difference"], found["se"]
    if abs(difference) <= CLEAR * se:
        return Verdict(Answer.NOISE, difference, se, not strict)
    is_lower = difference < 0
    return Verdict(Answer.YES if is_lower else Answer.NO, difference, se, is_lower)


def check_all(
    reports: Mapping[str, Mapping[str, Any]],
    claims: Mapping[Metric, Sequence[Claim]],
) -> list[Check]:
    """Every claim by its metric; MISSING where a row has no report.

    reports: row name -> report of `score`.

    Raises:
      UserError: as `check`, naming the two rows.
    """
    checks = []
    for metric, of_metric in claims.items():
        for claim in of_metric:
            pair = [reports.get(name) for name in (claim.lower, claim.higher)]
            if None in pair:
                verdict = Verdict(Answer.MISSING, math.nan, math.nan, None)
            else:
                try:
                    verdict = check(*pair, metric, claim.strict)
                except UserError as error:
                    rows = f"rows {claim.lower!r} and {claim.higher!r}"
                    raise UserError(f"{rows}: {error}") from None
            checks.append(Check(claim, metric, verdict))
    return checks


def rank_agreement(
    reports: Sequence[Mapping[str, Any]],
    paper: Sequence[float | None],
    metric: Metric,
) -> float | None:
    """Kendall's tau-b of our values with the paper's: 1 the same order, -1 the reverse.

    With s_ij the sign of the difference of rows i and j, tau-b is sum s_ij s'_ij over
    the root of (sum s_ij^2)(sum s'_ij^2), so a tie in either agrees with nothing
    (Kendall 1945).  Orders alone are seen, not errors: see `check` for those.

    reports: one a row.  paper: [R] the paper's values of the same rows.  Rows where
    either has no value are left out.

    Returns: None with fewer than two rows, or where all rows of a side are tied.
    """
    entries = [report["metrics"].get(metric.value, {}) for report in reports]
    both = [
        (entry["value"], theirs)
        for entry, theirs in zip(entries, paper, strict=True)
        if entry.get("value") is not None and theirs is not None
    ]
    if len(both) < 2:
        return None
    values = np.asarray(both, np.float64).T  # [2, R]
    ours, theirs = np.sign(values[:, :, None] - values[:, None, :])  # [R, R] each
    scale = np.sqrt(np.sum(ours**2) * np.sum(theirs**2))
    return float(np.sum(ours * theirs) / scale) if scale else None


HEADER = ("claim", "metric", "difference +- SE", "verdict")


def table_row(found: Check) -> list[str]:
    """The cells of `HEADER` for one check."""
    claim, verdict = found.claim, found.verdict
    sign = "<" if claim.strict else "<="
    is_there = verdict.answer is not Answer.MISSING
    return [
        f"{claim.lower} {sign} {claim.higher}",
        TITLES[found.metric],
        f"{verdict.difference:+.4g} +- {verdict.se:.2g}" if is_there else "",
        verdict.answer.value,
    ]


def markdown(checks: Sequence[Check]) -> str:
    """The checks as a table, how many claims hold, and how to read them."""
    holding = [c.verdict.holds for c in checks if c.verdict.holds is not None]
    counted = f"{sum(holding)} of {len(holding)} judged claims hold."
    rows = as_markdown(HEADER, [table_row(c) for c in checks])
    return f"{rows}\n{counted} {NOTE}\n"

"""Orderings of rows: verdicts by hand, their rate of false alarms, tau against scipy."""

import math

import numpy as np
import pytest
import scipy.stats

from stemjax.config.claims import Claim
from stemjax.config.metrics import Metric
from stemjax.eval.metrics.jackknife import (
    Estimate,
    assign_groups,
    from_leave_outs,
    jackknife,
)
from stemjax.eval.studies import ordering
from stemjax.eval.studies.ordering import Answer, check, check_all, rank_agreement
from stemjax.io.errors import UserError

MIRDD = Metric.MIRDD


def entry(estimate: Estimate, label: str = "MIRDD[a]") -> dict:
    return {
        "id": label,
        "value": estimate.value,
        "se": estimate.se,
        "corrected": estimate.corrected,
        "groups": estimate.groups.tolist(),
        "sizes": estimate.sizes.tolist(),
        "status": "ok",
    }


def report(*estimates: Estimate, metrics=(MIRDD,), ids="x", seed=0) -> dict:
    found = {m.value: entry(e) for m, e in zip(metrics, estimates, strict=True)}
    return {"ids": ids, "seed": seed, "metrics": found}


def two_groups(value: float, spread: float) -> Estimate:
    """Of two equal groups: its standard error is `spread`."""
    return from_leave_outs(value, [value - spread, value + spread], [5, 5])


def of_value(value: float) -> dict:
    return report(two_groups(value, 0.0))


@pytest.mark.parametrize(
    ("difference", "spread", "answer"),
    [
        (-2.0, 1.0, Answer.NOISE),  # two standard errors are not yet clear
        (-2.0 - 2**-20, 1.0, Answer.YES),
        (2.0, 1.0, Answer.NOISE),
        (2.0 + 2**-20, 1.0, Answer.NO),
        (0.0, 0.0, Answer.NOISE),
        (0.0, 1.0, Answer.NOISE),
        (-(2.0**-20), 0.0, Answer.YES),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_two_standard_errors_of_the_difference_decide(
    difference, spread, answer, strict
):
    lower, higher = (
        report(two_groups(8.0 + difference, spread)),
        report(two_groups(8.0, 0)),
    )
    found = check(lower, higher, MIRDD, strict)
    assert found.answer is answer
    assert found.difference == difference
    assert found.se == spread
    # "<" needs a clear difference; "<=" is broken only by one the other way
    assert found.holds is (
        answer is Answer.YES or answer is Answer.NOISE and not strict
    )


def test_what_rows_share_cancels():
    # both rows swing by 3 with the same examples; without pairing 1 is within noise
    hard = from_leave_outs(10.0, [7.0, 13.0], [5, 5])
    harder = from_leave_outs(11.0, [8.0, 14.0], [5, 5])
    assert 1 < 2 * math.hypot(hard.se, harder.se)
    assert check(report(hard), report(harder), MIRDD, True).answer is Answer.YES
    assert check(report(harder), report(hard), MIRDD, True).answer is Answer.NO
    # and swings against each other add up: 6 of error for a difference of 8
    apart = from_leave_outs(18.0, [21.0, 15.0], [5, 5])
    found = check(report(hard), report(apart), MIRDD, True)
    assert (found.answer, found.difference, found.se) == (Answer.NOISE, -8.0, 6.0)


def test_alike_rows_are_seldom_called_clear():
    rng = np.random.default_rng(0)
    ids = [str(k) for k in range(60)]
    group = assign_groups(ids)
    answers = []
    for _ in range(400):
        context = rng.normal(size=60)  # shared, as hard contexts are
        rows = [context + 0.3 * rng.normal(size=60) for _ in range(2)]
        pair = [
            report(jackknife(lambda kept, x=x: x[kept].mean(), group)) for x in rows
        ]
        answers.append(check(*pair, MIRDD, True).answer)
    clear = np.mean([a is not Answer.NOISE for a in answers])
    # 6 % beyond two errors of a t of 19 degrees of freedom; +- 1.2 % for 400 draws
    assert 0.02 < clear < 0.10


def test_no_value_no_verdict():
    there = of_value(1.0)
    absent = {"ids": "x", "seed": 0, "metrics": {}}
    missing = {"mirdd": {"id": "MIRDD", "value": None, "reason": "not asked for"}}
    unknown_error = report(Estimate(1.0, math.nan, math.nan, np.zeros(1), np.ones(1)))
    for other in (absent, {**absent, "metrics": missing}, unknown_error):
        pair = (other, other) if other is unknown_error else (there, other)
        found = check(*pair, MIRDD, False)
        assert found.answer is Answer.MISSING
        assert found.holds is None
        assert math.isnan(found.difference)


def test_other_examples_are_refused():
    one = two_groups(1.0, 0.1)
    with pytest.raises(UserError, match="other examples"):
        check(report(one), report(one, ids="y"), MIRDD, True)
    with pytest.raises(UserError, match="seeds"):
        check(report(one), report(one, seed=1), MIRDD, True)
    claims = {MIRDD: [Claim("best", "naive")]}
    rows = {"best": report(one), "naive": report(one, ids="y")}
    with pytest.raises(UserError, match="'best' and 'naive': .*other examples"):
        check_all(rows, claims)


def test_other_versions_are_refused_for_the_metric_asked_for_alone():
    one = two_groups(1.0, 0.1)
    a = report(one, one, metrics=(MIRDD, Metric.FD_CODEC))
    b = report(one, one, metrics=(MIRDD, Metric.FD_CODEC))
    b["metrics"]["fd_codec"]["id"] = "another codec"
    assert check(a, b, MIRDD, True).answer is Answer.NOISE
    with pytest.raises(UserError, match="another codec"):
        check(a, b, Metric.FD_CODEC, True)


ROWS = {
    "none": of_value(0.41),
    "i": of_value(0.26),
    "a": of_value(0.29),
    "both": report(two_groups(0.25, 0.05)),
}


def test_claims_of_a_table():
    claims = {
        MIRDD: [
            Claim("both", "i"),
            Claim("both", "i", strict=False),
            Claim("i", "a"),
            Claim("none", "a"),
            Claim("i", "never scored"),
        ],
        Metric.FAD: [Claim("both", "a")],
    }
    checks = check_all(ROWS, claims)
    answers = ["within noise", "within noise", "yes", "no", "n/a", "n/a"]
    assert [c.verdict.answer.value for c in checks] == answers
    assert [c.metric for c in checks] == [MIRDD] * 5 + [Metric.FAD]
    text = ordering.markdown(checks).splitlines()
    assert text[:8] == [
        "| claim | metric | difference +- SE | verdict |",
        "| --- | --- | --- | --- |",
        "| both < i | MIRDD | -0.01 +- 0.05 | within noise |",
        "| both <= i | MIRDD | -0.01 +- 0.05 | within noise |",
        "| i < a | MIRDD | -0.03 +- 0 | yes |",
        "| none < a | MIRDD | +0.12 +- 0 | no |",
        "| i < never scored | MIRDD |  | n/a |",
        "| both < a | FAD |  | n/a |",
    ]
    assert text[9].startswith("2 of 4 judged claims hold.")


def test_agreement_with_the_paper_by_hand():
    # FAD of table 1 swaps one of six pairs of the rows' MIRDD
    paper = [4.30, 3.66, 3.20, 3.17]
    assert rank_agreement(list(ROWS.values()), paper, MIRDD) == pytest.approx(4 / 6)
    assert rank_agreement([of_value(-v) for v in paper], paper, MIRDD) == -1


def test_agreement_equals_scipys_tau_b():
    rng = np.random.default_rng(1)
    for _ in range(20):
        ours, theirs = rng.integers(0, 5, size=(2, 8)).astype(float)  # many ties
        found = rank_agreement([of_value(v) for v in ours], theirs, MIRDD)
        # algebra: rounding alone
        expected = scipy.stats.kendalltau(ours, theirs, variant="b").statistic
        assert found == pytest.approx(expected, abs=1e-12)


def test_agreement_needs_two_rows_that_differ():
    rows = [of_value(v) for v in (1.0, 2.0, 3.0)]
    assert rank_agreement(rows[:1], [1.0], MIRDD) is None
    assert rank_agreement(rows, [1.0, None, None], MIRDD) is None
    assert rank_agreement(rows, [1.0, 1.0, 1.0], MIRDD) is None
    assert rank_agreement(rows, [1.0, 2.0, 3.0], Metric.FAD) is None
    # a row without the paper's value is left out, not taken as 0
    assert rank_agreement(rows, [1.0, 2.0, None], MIRDD) == 1
    with pytest.raises(ValueError):
        rank_agreement(rows, [1.0], MIRDD)

"""Search of decoding settings: known optima, noise, its error, the choice of steps."""

import dataclasses

import numpy as np
import pytest

from stemjax.config.decode import BEST, Guidance
from stemjax.config.metrics import Metric
from stemjax.config.sweeps import GRIDS
from stemjax.config.tuning import Ladders, halvings
from stemjax.eval import tune
from stemjax.eval.jackknife import from_leave_outs
from stemjax.eval.tune_report import judged
from stemjax.io.errors import UserError
from tests.eval.made_scores import SIZES, bowl, report

SOURCES = ("context", "instrument")
AXES = tune.axes(Ladders(), SOURCES)


def estimate(value, groups):
    return from_leave_outs(value, np.asarray(groups), np.ones(len(groups)))


def test_the_optimum_is_found_and_only_falls_are_taken():
    asked = []

    def evaluate(configs):
        asked.extend(configs)
        return [estimate(bowl(c) - bowl(BEST), [bowl(c)] * 4) for c in configs]

    found = tune.search(BEST, AXES, evaluate, passes=3)
    assert (found.best.scales, found.best.w_causal) == ((2.0, 1.5), 0.2)
    assert (found.best.w_conf, found.best.temperature) == (0.3, 0.9)
    assert found.best.temperature_final == 0.9  # no anneal before, none after
    taken = [t.objective.value for t in found.trials if t.is_taken]
    assert all(b < a for a, b in zip(taken, taken[1:], strict=False))
    assert [t.axis for t in found.trials if t.is_taken] == [
        "start",
        "scales",  # 2, 2 of the diagonal
        "scale of instrument",
        "w_causal",
        "w_conf",
        "temperature",
    ]
    # a second pass finds nothing better and is the last
    one_pass = 4 + 4 + 4 + 3 + 2 + 3
    assert len(asked) == 1 + 2 * one_pass + 1  # scales 2, 1.5 are off the diagonal
    assert len(asked) == len(found.trials)
    once = tune.search(BEST, AXES, evaluate)
    assert once.best == found.best and len(once.trials) == 1 + one_pass


def test_differences_of_noise_are_said_to_be_noise():
    rng = np.random.default_rng(0)

    def evaluate(configs):
        noise = rng.normal(size=(len(configs), 400))  # of each example
        without = (noise.sum(axis=1, keepdims=True) - noise) / 399
        return [
            estimate(0.0, np.zeros(400))
            if c == BEST
            else estimate(x.mean(), w)  # errors of 1 / 20
            for c, x, w in zip(configs, noise, without, strict=True)
        ]

    found = tune.search(BEST, AXES, evaluate)
    tried = found.trials[1:]
    assert np.mean([t.objective.se for t in tried]) == pytest.approx(0.05, rel=0.05)
    assert sum(judged(t.objective) == "within noise" for t in tried) >= 0.85 * len(
        tried
    )
    assert found.best != BEST  # the least of noise, which the check has to tell


def test_an_objective_beyond_two_errors_is_said_to_be():
    assert judged(estimate(-1.0, [-1.01, -0.99])) == "lower"
    assert judged(estimate(1.0, [1.01, 0.99])) == "higher"
    assert judged(estimate(-1.0, [-2.0, 0.0])) == "within noise"


def test_the_objective_by_hand_and_by_a_slow_jackknife():
    start = report(2.0, 0.5, [2.1, 1.9, 2.0], [0.5, 0.45, 0.6])
    other = report(1.0, 1.0, [1.2, 0.9, 0.8], [1.1, 0.8, 1.2])
    metrics = tune.judged_by(start["metrics"])
    assert metrics == (Metric.FD_LOGMEL, Metric.MIRDD)
    found = tune.objective(other, start, metrics)
    assert found.value == pytest.approx(0.0, abs=1e-12)  # a half and the double
    n, pseudo = sum(SIZES), []
    corrected = len(SIZES) * found.value
    for g, m in enumerate(SIZES):
        logs = [
            np.log(other["metrics"][k]["groups"][g] / start["metrics"][k]["groups"][g])
            for k in ("fd_logmel", "mirdd")
        ]
        h = n / m
        pseudo.append((h, h * found.value - (h - 1) * sum(logs) / 2))
        corrected -= (1 - m / n) * sum(logs) / 2
    variance = np.mean([(p - corrected) ** 2 / (h - 1) for h, p in pseudo])
    assert found.se == pytest.approx(variance**0.5, rel=1e-9) and found.se > 0.05
    # a common factor cancels whole, in every group
    scaled = report(4.0, 1.0, [4.2, 3.8, 4.0], [1.0, 0.9, 1.2])
    alike = tune.objective(scaled, start, metrics)
    assert alike.value == pytest.approx(np.log(2)) and alike.se < 1e-9


def test_fad_is_taken_where_it_is_there_and_zero_has_no_logarithm():
    there = report(1.0, 1.0)
    there["metrics"]["fad"] = there["metrics"]["fd_logmel"]
    assert tune.judged_by(there["metrics"]) == (Metric.FAD, Metric.MIRDD)
    metrics = (Metric.FD_LOGMEL, Metric.MIRDD)
    with pytest.raises(UserError, match="above 0; give more examples"):
        tune.objective(report(1.0, 0.0), report(1.0, 1.0), metrics)
    with pytest.raises(UserError, match="FAD cannot be measured here"):
        tune.objective(report(1.0, 1.0), report(1.0, 1.0), (Metric.FAD,))


def test_what_would_change_nothing_is_not_tried():
    by_name = {axis.name: axis.variants for axis in AXES}
    naive = dataclasses.replace(BEST, guidance=Guidance.NONE)
    single = dataclasses.replace(BEST, guidance=Guidance.SINGLE)
    assert not by_name["scales"](naive) and not by_name["scale of context"](naive)
    assert [c.scales[0] for c in by_name["scale of context"](single)] == [
        1.0,
        1.5,
        2.0,
        4.0,
    ]
    assert not by_name["scale of instrument"](single)
    annealed = dataclasses.replace(BEST, temperature=1.0, temperature_final=0.5)
    hot = by_name["temperature"](annealed)[-1]
    assert (hot.temperature, hot.temperature_final) == (1.1, 0.55)


@pytest.mark.parametrize(
    "seconds, values, chosen",
    [
        ((8, 4, 2), (0.0, 0.1, 0.5), 1),  # 0.1 is within its error, 0.5 is not
        ((8, 4, 2), (0.0, 0.3, 0.5), 0),
        ((8, 4, 2), (0.2, 0.3, 0.0), 2),  # the best is the cheapest
        ((8, 2, 4), (0.0, 0.1, 0.1), 1),  # of two, the cheaper
        ((8, 4, 2), (0.1, 0.0, 0.2), 1),  # the step after the best is just too far
    ],
)
def test_the_cheapest_within_one_error_of_the_best(seconds, values, chosen):
    """Two groups, 0.15 apart more for each rung: errors of the differences 0.15."""
    best = int(np.argmin(values))
    rungs = [
        estimate(v, [v - 0.15 * (k != best), v + 0.15 * (k != best)])
        for k, v in enumerate(values)
    ]
    assert tune.cheapest_as_good(seconds, rungs) == chosen


def test_halvings_are_the_grid_of_steps():
    grid = [row.points[0].steps for row in GRIDS["steps"]]
    assert sorted(halvings(BEST.steps)) == sorted(grid)
    assert halvings((2, 1)) == ((2, 1), (1, 1))

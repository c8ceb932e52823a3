"""Search of decoding settings by FD and MIRDD, what StemGen judges its own by (sec. 3.2).

The objective is scale-free: the mean over the metrics of log(value / value of the start
settings), 0 for the start.  Both metrics leave out the same groups of examples, so it
has a jackknife error, and the difference of two settings that of paired values.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.config.metrics import TITLES, Metric
from stemjax.config.tuning import Ladders
from stemjax.eval.jackknife import Estimate, difference, from_leave_outs
from stemjax.io.errors import UserError

Evaluate = Callable[[Sequence[DecodeConfig]], Sequence[Estimate]]


class Axis(NamedTuple):
    """One setting, or several that move together."""

    name: str
    variants: Callable[[DecodeConfig], list[DecodeConfig]]
    """All that it tries from some settings, those themselves left out."""


class Trial(NamedTuple):
    """Settings that were tried."""

    axis: str
    config: DecodeConfig
    objective: Estimate
    is_taken: bool
    """The search went on from them."""


class Search(NamedTuple):
    """A search that has ended."""

    trials: tuple[Trial, ...]
    """In their order; the first is the start."""
    best: DecodeConfig


def judged_by(metrics: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of the objective: FAD, or FD-logmel where it is not there; MIRDD.

    metrics: of a report of `score`.
    """
    has_fad = metrics.get(Metric.FAD.value, {}).get("value") is not None
    return (Metric.FAD if has_fad else Metric.FD_LOGMEL), Metric.MIRDD


def objective(
    report: Mapping[str, Any], start: Mapping[str, Any], metrics: Sequence[Metric]
) -> Estimate:
    """Mean over metrics of log(value / value of the start); lower is better.

    report, start: of `score`, on the same examples and groups.

    Raises:
      UserError: a metric that is missing, or not above zero: it has no logarithm.
    """
    ratios, group_ratios = [], []
    for metric in metrics:
        of_report, of_start = (_entry(r, metric) for r in (report, start))
        ratios.append(np.log(of_report["value"] / of_start["value"]))
        group_ratios.append(np.log(np.divide(of_report["groups"], of_start["groups"])))
    sizes = _entry(start, metrics[0])["sizes"]
    return from_leave_outs(np.mean(ratios), np.mean(group_ratios, axis=0), sizes)


def _entry(report: Mapping[str, Any], metric: Metric) -> Mapping[str, Any]:
    entry = report["metrics"].get(metric.value, {})
    if entry.get("value") is None:
        raise UserError(f"{TITLES[metric]} cannot be measured here; tuning needs it")
    if not min(entry["value"], *entry["groups"]) > 0:
        raise UserError(
            f"{TITLES[metric]} is {min(entry['value'], *entry['groups']):g}, and tuning"
            " needs it above 0; give more examples (--n)"
        )
    return entry


def axes(ladders: Ladders, sources: Sequence[str]) -> list[Axis]:
    """What is searched, in turn: the scales together, each alone, weights, temperature.

    sources: names of the guidance sources, as `DecodeConfig.scales` has them.
    """

    def together(config: DecodeConfig) -> list[tuple[float, ...]]:
        return [(x,) * len(config.scales) for x in ladders.scales]

    def alone(source: int):
        def scales(config: DecodeConfig) -> list[tuple[float, ...]]:
            before, after = config.scales[:source], config.scales[source + 1 :]
            return [(*before, x, *after) for x in ladders.scales]

        return scales

    def guided(name: str, scales, guidances: set[Guidance]) -> Axis:
        def variants(config: DecodeConfig) -> list[DecodeConfig]:
            if config.guidance not in guidances:  # they would change nothing
                return []
            return _others(config, [{"scales": s} for s in scales(config)])

        return Axis(name, variants)

    def weight(field: str, values: Sequence[float]) -> Axis:
        return Axis(field, lambda c: _others(c, [{field: value} for value in values]))

    def temperatures(config: DecodeConfig) -> list[DecodeConfig]:
        anneal = config.temperature_final / config.temperature  # keeps its shape
        return _others(
            config,
            [
                {"temperature": t, "temperature_final": t * anneal}
                for t in ladders.temperature
            ],
        )

    by_source = [
        guided(
            f"scale of {name}",
            alone(s),
            {Guidance.MULTI} if s else {Guidance.MULTI, Guidance.SINGLE},
        )
        for s, name in enumerate(sources)
    ]
    return [
        guided("scales", together, {Guidance.MULTI}),
        *by_source,
        weight("w_causal", ladders.w_causal),
        weight("w_conf", ladders.w_conf),
        Axis("temperature", temperatures),
    ]


def _others(config: DecodeConfig, changes: Sequence[Mapping[str, Any]]):
    found = [dataclasses.replace(config, **change) for change in changes]
    return [other for other in dict.fromkeys(found) if other != config]


def search(
    start: DecodeConfig, axes: Sequence[Axis], evaluate: Evaluate, *, passes: int = 1
) -> Search:
    """Coordinate by coordinate: of each axis the least objective is taken, if it falls.

    evaluate: settings -> their objectives, all against one start.  A pass that takes
    nothing is the last.  The least of many noisy values is too low by the choice alone:
    what a search gains is told by other examples.
    """
    (first,) = evaluate([start])
    trials = [Trial("start", start, first, True)]
    now, value = start, first.value
    for _ in range(passes):
        before = now
        for axis in axes:
            variants = axis.variants(now)
            if not variants:
                continue
            found = evaluate(variants)
            least = int(np.argmin([estimate.value for estimate in found]))
            is_better = found[least].value < value
            trials += [
                Trial(axis.name, config, estimate, is_better and k == least)
                for k, (config, estimate) in enumerate(
                    zip(variants, found, strict=True)
                )
            ]
            if is_better:
                now, value = variants[least], found[least].value
        if now == before:
            break
    return Search(tuple(trials), now)


def cheapest_as_good(costs: Sequence[float], objectives: Sequence[Estimate]) -> int:
    """Which is the cheapest within one standard error of the best, paired with it.

    The one-standard-error rule (Breiman et al. 1984, Classification and Regression
    Trees, sec. 3.4.3) with the error of the difference, as the examples are the same.
    """
    best = objectives[int(np.argmin([o.value for o in objectives]))]
    differences = [difference(o, best) for o in objectives]
    as_good = [k for k, d in enumerate(differences) if d.value <= d.se]
    return min(as_good, key=lambda k: costs[k])

"""What a search of decoding settings found: a page, a table, JSON."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stemjax.config.decode import DecodeConfig
from stemjax.config.metrics import TITLES, Metric
from stemjax.config.runs import to_json
from stemjax.eval.compare import CLEAR, verdict
from stemjax.eval.jackknife import Estimate
from stemjax.eval.report import as_csv, as_markdown, notes, number
from stemjax.eval.rows import Report
from stemjax.eval.score import HEADLINE
from stemjax.eval.stem_gain import StemGain
from stemjax.eval.tune import Search

VERDICTS = {"a lower": "lower", "b lower": "higher", "within noise": "within noise"}

UNCLEAR = (
    "**Nothing that was tried is lower than the start beyond two standard errors: the"
    " choice may be chance. Give more examples (--n) before using it.**"
)


class Rung(NamedTuple):
    """The tuned settings at some number of steps."""

    config: DecodeConfig
    seconds: float
    """Per stem on this machine."""
    objective: Estimate
    gain: StemGain | None


class Result(NamedTuple):
    """All that a run found."""

    search: Search
    rungs: tuple[Rung, ...]
    chosen: int
    """Number of the rung whose settings are the answer."""
    metrics: tuple[Metric, ...]
    reports: Mapping[DecodeConfig, Report]
    held_out: Mapping[str, Any]
    says_write: str


def judged(estimate: Estimate) -> str:
    """ "lower", "higher" or "within noise", against the start."""
    return VERDICTS[verdict(estimate.value, estimate.se)]


def shown(value: Any) -> str:
    """A setting's value in words."""
    if isinstance(value, list):
        return "/".join(f"{v:g}" for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def changes(config: DecodeConfig, base: DecodeConfig) -> str:
    """In what settings differ from others, such as "w_causal 0.2"."""
    new, old = to_json(config), to_json(base)
    return (
        ", ".join(f"{k} {shown(v)}" for k, v in new.items() if v != old[k])
        or "as the start"
    )


def objective_cell(estimate: Estimate) -> str:
    """An objective with its error."""
    return f"{estimate.value:+.3f} +- {estimate.se:.2g}"


def _trial_rows(result: Result) -> list[list[str]]:
    start = result.search.trials[0].config
    return [
        [
            trial.axis,
            "the start" if k == 0 else changes(trial.config, start),
            objective_cell(trial.objective),
            "" if k == 0 else judged(trial.objective),
            *(
                number(result.reports[trial.config]["metrics"][metric.value])
                for metric in result.metrics
            ),
            "yes" if trial.is_taken else "",
        ]
        for k, trial in enumerate(result.search.trials)
    ]


def _trial_header(result: Result) -> list[str]:
    titles = [TITLES[metric] for metric in result.metrics]
    return ["axis", "settings", "objective", "against the start", *titles, "taken"]


def _rung_rows(result: Result) -> list[list[str]]:
    rows = []
    for k, rung in enumerate(result.rungs):
        gain = rung.gain
        metrics = result.reports[rung.config]["metrics"]
        rows.append(
            [
                shown(list(rung.config.steps)),
                f"{rung.seconds:.3g}",
                objective_cell(rung.objective),
                *(number(metrics[metric.value]) for metric in result.metrics),
                f"{gain.value:+.3f} +- {gain.se:.2g}" if gain else "n/a",
                "yes" if k == result.chosen else "",
            ]
        )
    return rows


def _held_out_rows(result: Result) -> list[list[str]]:
    held_out = result.held_out
    rows = [
        [
            TITLES[Metric(name)],
            f"{row['b']:.4g}",
            f"{row['a']:.4g}",
            f"{row['difference']:+.4g} +- {row['se']:.2g}",
            VERDICTS[row["verdict"]],
        ]
        for name, row in held_out["differences"].items()
    ]
    value, error = held_out["objective"], held_out["se"]
    found = VERDICTS[verdict(value, error)]
    return [*rows, ["objective", "0", f"{value:+.3f}", f"+- {error:.2g}", found]]


def page(result: Result, title: str, about: Sequence[str]) -> str:
    """The whole as markdown.

    about: lines on what was measured.
    """
    start, final = result.search.trials[0].config, result.rungs[result.chosen].config
    tried = result.search.trials[1:]
    clear = [t for t in tried if judged(t.objective) == "lower"]
    n = result.held_out["start"]["n"]
    names = " and ".join(TITLES[metric] for metric in result.metrics)
    lines = [
        f"# {title}",
        "",
        *(f"- {line}" for line in about),
        f"- objective: mean over {names} of log(value / value of the start): -0.1 is a"
        " tenth less, about; +- is a standard error, paired with the start",
        "",
        f"**Settings found: {changes(final, start)}.** {result.says_write}",
        "",
        *([] if clear else [UNCLEAR, ""]),
        "## Search",
        "",
        as_markdown(_trial_header(result), _trial_rows(result)),
        f"{len(tried)} settings were tried; {len(clear)} of them are lower than the"
        f" start beyond {CLEAR:g} standard errors. The least of many is too low by the"
        " choice alone: the check below is what counts.",
        "",
        "## Steps",
        "",
        as_markdown(
            [
                "steps",
                "s a stem",
                "objective",
                *(TITLES[metric] for metric in result.metrics),
                "context gain",
                "chosen",
            ],
            _rung_rows(result),
        ),
        "Chosen: the fewest steps whose objective is within one standard error (of the"
        " paired difference) of the best, unless the steps are kept. Seconds are of this"
        " machine, decoded in batches, without compiling. Context gain, nats per token:"
        " how much the stems depend on their own context in the judgement of the model"
        " that made them, not of another listener; guidance can raise it by itself."
        + (
            ""
            if all(rung.gain for rung in result.rungs)
            else " It is n/a where more than half of the examples are of one song."
        ),
        "",
        f"## Check on {result.held_out['split']}, {n} examples",
        "",
        as_markdown(
            ["", "start", "tuned", "tuned - start", "tuned is"], _held_out_rows(result)
        ),
    ]
    if n < HEADLINE:
        lines += [f"**Few examples ({n}): no headline number.**", ""]
    return "\n".join([*lines, *notes(result.reports.values()), ""])


def csv(result: Result) -> str:
    """Every setting that was tried, the steps last: all of its values, its objective."""
    fields = [field.name for field in dataclasses.fields(DecodeConfig)]
    names = [metric.value for metric in result.metrics]
    header = ["axis", *fields, "objective", "se", *names, "taken"]
    tried = [(t.axis, t.config, t.objective, t.is_taken) for t in result.search.trials]
    tried += [
        ("steps", rung.config, rung.objective, k == result.chosen)
        for k, rung in enumerate(result.rungs)
    ]
    rows = []
    for axis, config, objective, is_taken in tried:
        metrics = result.reports[config]["metrics"]
        values = [f"{metrics[name]['value']:.6g}" for name in names]
        settings = [shown(value) for value in to_json(config).values()]
        found = [f"{objective.value:.6g}", f"{objective.se:.6g}"]
        rows.append([axis, *settings, *found, *values, str(int(is_taken))])
    return as_csv(header, rows)


def as_json(result: Result) -> dict[str, Any]:
    """The whole as JSON values."""

    def found(config: DecodeConfig, objective: Estimate) -> dict[str, Any]:
        return {
            "decode": to_json(config),
            "objective": objective.value,
            "se": objective.se,
            "against_start": judged(objective),
            "report": result.reports[config],
        }

    return {
        "metrics": [metric.value for metric in result.metrics],
        "decode": to_json(result.rungs[result.chosen].config),
        "search": [
            {"axis": t.axis, "is_taken": t.is_taken} | found(t.config, t.objective)
            for t in result.search.trials
        ],
        "steps": [
            {
                "seconds_per_stem": rung.seconds,
                "context_gain": rung.gain._asdict() if rung.gain else None,
                "is_chosen": k == result.chosen,
            }
            | found(rung.config, rung.objective)
            for k, rung in enumerate(result.rungs)
        ],
        "held_out": dict(result.held_out),
    }

"""`python evaluate.py tune`: the decoding settings of a release, searched and checked."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.decode import FAST, DecodeConfig
from stemjax.config.metrics import TITLES, Metric
from stemjax.config.runs import to_json
from stemjax.config.sweeps import Row
from stemjax.config.tuning import EXAMPLES, Ladders, halvings
from stemjax.eval import tune, tune_report
from stemjax.eval.commands.decoding import (
    decode,
    is_whole,
    print_cost,
    scorer_of,
    settings_of,
)
from stemjax.eval.commands.decoding_arguments import Tune
from stemjax.eval.compare import CLEAR, compare
from stemjax.eval.cost import seconds_per_stem
from stemjax.eval.frontier import Measure, Point, save_frontier
from stemjax.eval.generate import Job, describe
from stemjax.eval.plots import UNITS
from stemjax.eval.populations import Bench, context_path, manifest_hash
from stemjax.eval.rows import Report, Scorer, row_jobs, score_row
from stemjax.eval.score import FORMAT
from stemjax.eval.stem_gain import Listener, StemGain, encode_files, stem_gain
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.release import own_release, replace_decode


class Tuning(NamedTuple):
    """What is tuned, and on what."""

    model: Listener
    """The benches' system, as its own judge."""
    start: DecodeConfig
    chosen_on: Bench
    checked_on: Bench


def examples_needed(command: Tune) -> int:
    """How many examples each setting has."""
    return command.n or EXAMPLES


def check(command: Tune) -> None:
    """That a run can end as it begins, before anything is loaded or decoded.

    Raises:
      UserError: flags that exclude each other, or a checkpoint that `--write` may not
        write to.
    """
    if not is_whole(command.shard):
        raise UserError("--shard: tune decides as it goes; leave it out")
    if command.passes < 1:
        raise UserError(f"--passes {command.passes}: give 1 or more")
    if command.check_split == command.split:
        raise UserError(f"--check-split {command.split}: give another than --split")
    if command.write:
        if command.fast or not command.data:
            raise UserError("--write: a trial is not written; give --data, no --fast")
        own_release(command.checkpoint, kind="stemgen")


class Scored:
    """Settings on one bench, decoded and scored once each."""

    def __init__(self, command: Tune, bench: Bench, scorer: Scorer):
        self._command, self._bench, self._scorer = command, bench, scorer
        self._reports: dict[DecodeConfig, Report] = {}

    def __call__(self, configs: Sequence[DecodeConfig]) -> list[Report]:
        """Their scores; those not seen yet are decoded together."""
        command, bench = self._command, self._bench
        new = [c for c in dict.fromkeys(configs) if c not in self._reports]
        if new:
            jobs = jobs_of(command, bench, new)
            decode(bench, jobs, batch_size=command.batch_size, shard=command.shard)
        for config in new:
            self._reports[config] = score_row(
                _row(config),
                bench,
                examples_needed(command),
                self._scorer,
                seeds=command.seeds,
                deal_seed=command.seed,
            )
        return [self._reports[config] for config in configs]


def _row(config: DecodeConfig) -> Row:
    return Row(name="setting", points=(config,))


def jobs_of(command: Tune, bench: Bench, configs: Sequence[DecodeConfig]) -> list[Job]:
    """The stems of each of some settings."""
    n = examples_needed(command)
    return [
        job
        for config in configs
        for job in row_jobs(
            _row(config), bench, n, seeds=command.seeds, deal_seed=command.seed
        )
    ]


def run_tune(command: Tune, tuning: Tuning, about: Sequence[str]) -> None:
    """Search, measure the steps, check, write tune.md, .json, .csv, decode.json, PNG.

    about: lines on the data, for the page.

    Raises:
      UserError: a metric that cannot be had.
    """
    bench = tuning.chosen_on
    start = tuning.start
    if command.fast:
        start = dataclasses.replace(start, steps=FAST.steps)
    sources = ["context", *(c.name for c in tuning.model.config.conditions)]
    axes = tune.axes(Ladders(), sources)
    if command.dry_run:
        _print_cost(command, tuning, start, axes)
        return
    scorer = scorer_of(command, settings_of(command, bench))
    scored = Scored(command, bench, scorer)
    (of_start,) = scored([start])
    metrics = tune.judged_by(of_start["metrics"])

    def evaluate(configs):
        return [tune.objective(r, of_start, metrics) for r in scored(configs)]

    found = tune.search(start, axes, evaluate, passes=command.passes)
    rungs = measure_rungs(command, tuning, found.best, evaluate)
    chosen = 0
    if not command.keep_steps:
        chosen = tune.cheapest_as_good(
            # not seconds: on a busy machine they order otherwise from run to run
            [sum(rung.config.steps) for rung in rungs],
            [rung.objective for rung in rungs],
        )
    final = rungs[chosen].config
    held_out = check_held_out(command, tuning, scorer, start, final, metrics)
    reports = {trial.config: scored([trial.config])[0] for trial in found.trials}
    reports |= {rung.config: scored([rung.config])[0] for rung in rungs}
    is_written = command.write and final != start and not held_out["is_worse"]
    result = tune_report.Result(
        search=found,
        rungs=tuple(rungs),
        chosen=chosen,
        metrics=metrics,
        reports=reports,
        held_out=held_out,
        says_write=_write_line(command, start, final, held_out["is_worse"]),
    )
    if is_written:
        replace_decode(command.checkpoint, to_json(final))
    _write(command, tuning, result, about)


def measure_rungs(
    command: Tune, tuning: Tuning, best: DecodeConfig, evaluate: tune.Evaluate
) -> list[tune_report.Rung]:
    """Fewer and fewer steps of the same settings: cost, objective, context gain."""
    bench, model = tuning.chosen_on, tuning.model
    configs = [dataclasses.replace(best, steps=s) for s in halvings(best.steps)]
    objectives = evaluate(configs)
    pairs = bench.examples.pairs[: examples_needed(command)]
    contexts = encode_files(model.codec, [context_path(bench.folder, p) for p in pairs])
    batch = [bench.examples.read(pair)[0] for pair in pairs[: command.batch_size]]

    def gain(config: DecodeConfig) -> StemGain | None:
        jobs = jobs_of(command, bench, [config])[: len(pairs)]  # of the first seed
        stems = encode_files(model.codec, [job.stem for job in jobs])
        return stem_gain(model, pairs, contexts, stems)

    return [
        tune_report.Rung(
            config,
            seconds_per_stem(bench.system, config, np.stack(batch)),
            objective,
            gain(config),
        )
        for config, objective in zip(configs, objectives, strict=True)
    ]


def check_held_out(
    command: Tune,
    tuning: Tuning,
    scorer: Scorer,
    start: DecodeConfig,
    final: DecodeConfig,
    metrics: Sequence[Metric],
) -> dict[str, Any]:
    """The start against the result on songs that chose neither, JSON values."""
    of_start, of_final = Scored(command, tuning.checked_on, scorer)([start, final])
    estimate = tune.objective(of_final, of_start, metrics)
    return {
        "split": command.check_split,
        "objective": estimate.value,
        "se": estimate.se,
        "is_worse": bool(estimate.value > CLEAR * estimate.se),
        "differences": compare(of_final, of_start),
        "start": of_start,
        "tuned": of_final,
    }


def _write_line(
    command: Tune, start: DecodeConfig, final: DecodeConfig, is_worse: bool
) -> str:
    """What becomes of the release folder, in words."""
    if final == start:
        return "The release's own settings stand: nothing else was better."
    if is_worse:
        return (
            "On the check split the tuned settings are worse beyond two standard errors:"
            " they are not written into a release."
        )
    if command.write:
        return f"Written into {pathlib.Path(command.checkpoint).name}."
    return "They are in decode.json; --write puts them into a release folder."


def _print_cost(command: Tune, tuning: Tuning, start: DecodeConfig, axes) -> None:
    """At most: axes are counted from the start, later ones have as many values."""
    searched = [start, *(c for axis in axes for c in axis.variants(start))]
    fewer = [dataclasses.replace(start, steps=s) for s in halvings(start.steps)][1:]
    n = examples_needed(command) * command.seeds
    count = 1 + command.passes * (len(searched) - 1) + len(fewer)
    print(
        f"at most {count} settings of {n} stems on {command.split}, 2 on"
        f" {command.check_split}; below, for one pass"
    )
    bench, checked = tuning.chosen_on, tuning.checked_on
    again = [dataclasses.replace(start, temperature=2 * start.temperature)]  # any other
    print_cost(
        [
            (bench, jobs_of(command, bench, [*searched, *fewer])),
            (checked, jobs_of(command, checked, [start, *again])),
        ],
        command.batch_size,
    )


def _write(
    command: Tune, tuning: Tuning, result: tune_report.Result, about: Sequence[str]
) -> None:
    out = pathlib.Path(command.out)
    system = describe(tuning.chosen_on.system)
    checkpoint = system["checkpoint"]
    title = f"Tuning of {checkpoint['name']} {checkpoint['version']}"
    page = tune_report.page(result, title, about)
    whole = {
        "format": FORMAT,
        "system": system,
        "manifest_hash": manifest_hash(tuning.chosen_on.examples),
        "check_manifest_hash": manifest_hash(tuning.checked_on.examples),
        "seed": command.seed,
        "seeds": command.seeds,
    } | tune_report.as_json(result)
    final = result.rungs[result.chosen].config
    _save_picture(out / "frontier.png", result, title)
    write_text(out / "tune.csv", tune_report.csv(result))
    write_text(out / "decode.json", json.dumps(to_json(final), indent=2) + "\n")
    write_text(out / "tune.json", json.dumps(whole, indent=1, sort_keys=True) + "\n")
    write_text(out / "tune.md", page)
    print(page, end="")
    print(f"{out}: tune.md, tune.json, tune.csv, decode.json, frontier.png")


def _save_picture(path: pathlib.Path, result: tune_report.Result, title: str) -> None:
    """Seconds against context gain, where there is one, and against both metrics."""
    has_gain = all(rung.gain is not None for rung in result.rungs)
    measures = [
        Measure("Context gain of stems", "nats a token; higher is better", True)
    ]
    measures = measures[: int(has_gain)]
    measures += [Measure(TITLES[m], UNITS[m], False) for m in result.metrics]

    def point(k: int, rung: tune_report.Rung) -> Point:
        entries: list[Mapping[str, Any]] = [
            result.reports[rung.config]["metrics"][m.value] for m in result.metrics
        ]
        values = [(e["value"], e["se"]) for e in entries]
        if has_gain:
            values.insert(0, tuple(rung.gain))
        steps = "/".join(map(str, rung.config.steps))
        name = f"steps {steps}"
        return Point(name, rung.seconds, *zip(*values, strict=True), k == result.chosen)

    points = [point(k, rung) for k, rung in enumerate(result.rungs)]
    save_frontier(path, points, measures, f"{title}: steps")

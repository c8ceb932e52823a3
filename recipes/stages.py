"""One training run of a recipe: its speed, its plan, its release; stopped, it goes on."""

import dataclasses
import shutil
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from recipes import commands
from recipes.ledger import Ledger
from recipes.running import Clock, run
from recipes.schedule import (
    LEAST_STEPS,
    continuous_steps,
    rest_of,
    steps_that_fit,
    stretched,
)
from stemjax.config.presets import PRESETS
from stemjax.io.errors import UserError
from stemjax.io.lines import read_lines
from stemjax.io.release import read_config

TRIAL_STEPS = 60
TRIAL_SHARE = 10  # a trial is at most a tenth of the most steps
START_SECONDS = 20.0  # a process and its first, already compiled step
RESERVE_SECONDS = 30.0  # of a stage: checkpoint, release, parcel
LEAST_SHARE = 0.5  # of its minutes; with less a stage waits for the next call


class Product(NamedTuple):
    """What stages make together: the codec, or the model."""

    name: str  # of the release
    version: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """One run of train.py, and what it is given."""

    name: str
    preset: str
    minutes: float
    most_steps: int
    batch_size: int
    product: Product
    after: str = ""  # the stage whose weights it starts from


class Inputs(NamedTuple):
    """What the call gives to its stages."""

    work: Path
    data: Path
    codec: Path | None
    environment: Mapping[str, str]


def seconds_for(stage: Stage, waiting: float, left: float, stages: int) -> float:
    """Seconds for a stage, or 0: it should wait for the next call.

    Stages of one product that cannot all have their minutes are cut alike.

    waiting: minutes of all its product's stages that are not whole, this one included.
    left: seconds of the call.  stages: how many of them there are.
    """
    wanted = stage.minutes * 60
    share = min(1.0, (left - stages * RESERVE_SECONDS) / (waiting * 60))
    return wanted * share if share >= LEAST_SHARE else 0.0


def release_of(work: Path, stage: str) -> Path:
    """Where the release of a stage lies."""
    return work / "releases" / stage


def train_stage(
    stage: Stage, inputs: Inputs, ledger: Ledger, clock: Clock, seconds: float
) -> dict[str, Any]:
    """Train until the plan is done or the call's time is up; export; return the facts.

    The plan is made once: the steps that fit `seconds` at the speed of a short trial.
    Brought from elsewhere as parameters alone, a stage goes on with a new optimiser.

    Raises:
      UserError, CommandFailed: as `recipes.running.run`.
    """
    facts = ledger.facts(stage.name)
    if "steps" not in facts:
        before = clock.left()
        rate = _rate(stage, inputs, before)
        usable = seconds - (before - clock.left()) - START_SECONDS
        steps = steps_that_fit(rate, usable, stage.most_steps)
        ledger.note(stage.name, steps=steps, done=0, start=0)
        facts = ledger.facts(stage.name)
    start, total = facts["start"], facts["steps"]
    training = _training(stage, inputs, start, total)
    limit = clock.left() - RESERVE_SECONDS
    ending = run(
        commands.train(training),
        inputs.work / "logs" / f"{stage.name}.log",
        limit,
        environment=inputs.environment,
    )
    if not _has_checkpoint(training.workdir):
        return facts | {"seconds": ending.seconds, "is_whole": False}
    release = release_of(inputs.work, stage.name)
    export = run(
        commands.export(training.workdir, release, *stage.product),
        inputs.work / "logs" / "export.log",
        RESERVE_SECONDS + clock.left(),
        environment=inputs.environment,
    )
    if export.is_stopped:
        return facts | {"seconds": ending.seconds, "is_whole": False}
    done = start + read_config(release)["steps"]
    ledger.note(stage.name, done=done, is_whole=not ending.is_stopped)
    _publish(stage, inputs.work, release, training.workdir, start)
    speed = _speed(training.workdir)
    return ledger.facts(stage.name) | speed | {"seconds": ending.seconds}


def _training(
    stage: Stage, inputs: Inputs, start: int, total: int
) -> commands.Training:
    preset = PRESETS[stage.preset]
    optim = stretched(preset, total)
    init_from = release_of(inputs.work, stage.after) if stage.after else None
    workdir = inputs.work / "runs" / stage.name
    if start:
        optim = rest_of(optim, start)
        init_from = release_of(inputs.work, "brought") / stage.product.name
        workdir = workdir.with_name(f"{stage.name}-from-{start}")
    return commands.Training(
        preset=stage.preset,
        workdir=workdir,
        data=inputs.data,
        steps=max(LEAST_STEPS, total - start),
        batch_size=stage.batch_size,
        optim=optim,
        codec=inputs.codec,
        init_from=init_from,
        continuous_steps=continuous_steps(preset, total, start),
    )


def _rate(stage: Stage, inputs: Inputs, left: float) -> float:
    """Steps per second once compiled, from a run that is thrown away."""
    steps = max(LEAST_STEPS, min(TRIAL_STEPS, stage.most_steps // TRIAL_SHARE))
    trial = dataclasses.replace(
        _training(stage, inputs, 0, steps),
        workdir=inputs.work / "trial",
        is_measured=True,
    )
    shutil.rmtree(trial.workdir, ignore_errors=True)
    log = inputs.work / "logs" / f"{stage.name}-trial.log"
    ending = run(commands.train(trial), log, left / 2, environment=inputs.environment)
    lines = read_lines(trial.workdir / "metrics.jsonl")
    shutil.rmtree(trial.workdir, ignore_errors=True)
    if ending.is_stopped or len(lines) < 2:
        raise UserError(
            f"{stage.name}: {steps} steps took more than half of the call's time;"
            " give more --minutes or a faster machine"
        )
    return statistics.median(line["steps_per_second"] for line in lines[1:])


def _has_checkpoint(workdir: Path) -> bool:
    series = workdir / "checkpoints"
    return series.is_dir() and any(p.name.isdecimal() for p in series.iterdir())


def _publish(
    stage: Stage, work: Path, release: Path, workdir: Path, start: int
) -> None:
    """The newest release and the curves of a product into the bundle."""
    bundle = work / "bundle" / stage.product.name
    shutil.copytree(release, bundle, dirs_exist_ok=True)
    prefix = f"{stage.name}-from-{start}" if start else stage.name
    for name in ("metrics.jsonl", "eval.jsonl"):
        if (workdir / name).is_file():
            shutil.copyfile(workdir / name, bundle / f"{prefix}.{name}")


def _speed(workdir: Path) -> dict[str, Any]:
    """The ends of the run's logs: loss, speed, seconds a step without data, scores."""
    (*_, last) = read_lines(workdir / "metrics.jsonl") or [{}]
    names = ("loss", "steps_per_second", "data_wait", "mfu", "device_peak_bytes")
    found = {name: last[name] for name in names if name in last}
    (*_, scores) = read_lines(workdir / "eval.jsonl") or [{}]
    scores = {k: round(v, 4) for k, v in scores.items() if "/" not in k}
    return found | ({"evaluation": scores} if scores else {})

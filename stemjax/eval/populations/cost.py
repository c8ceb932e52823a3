"""What decoding a set of stems takes on this machine, before it is begun."""

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.eval.populations.decoding_run import DecodingRun
from stemjax.eval.populations.generate import Job, System, program_of

TRIAL_STEPS = (1, 5)  # per level, of the two timed decodings


class Cost(NamedTuple):
    """Of the stems of one system."""

    stems: int
    missing: int
    forwards: int
    """Of the missing stems: steps times branches of guidance."""
    programs: int
    """Guidances, with a nucleus filter or without: each is compiled once."""
    seconds: float
    """To decode what is missing, from two timed decodings of each program."""
    audio_seconds: float
    """Of one stem."""
    gigabytes: float
    """24-bit audio of what is missing, before FLAC halves it or so."""


def estimate(run: DecodingRun, jobs: Sequence[Job], *, batch_size: int) -> Cost:
    """The cost of jobs of different files."""
    system = run.system
    missing = [job for job in jobs if not job.stem.is_file()]
    levels = system.codec.config.num_codebooks
    seconds, forwards, samples = 0.0, 0, 0
    by_program: dict[tuple, list[DecodeConfig]] = {}
    for job in missing:
        by_program.setdefault(program_of(job.config), []).append(job.config)
    if missing:
        context, _ = run.examples.read(missing[0].pair)
        samples = len(context)
    for configs in by_program.values():
        fixed, per_step = _time(system, configs[0], samples, batch_size, levels)
        # jobs of other numbers of steps share a program, never a batch
        counts = Counter(config.steps for config in configs)
        for config in {config.steps: config for config in configs}.values():
            steps = sum(config.steps_for(levels))
            batches = -(-counts[config.steps] // batch_size)
            seconds += batches * (fixed + per_step * steps)
            forwards += counts[config.steps] * steps * _branches(config)
    return Cost(
        stems=len(jobs),
        missing=len(missing),
        forwards=forwards,
        programs=len(by_program),
        seconds=seconds,
        audio_seconds=samples / system.sample_rate,
        gigabytes=3e-9 * samples * len(missing),
    )


def _branches(config: DecodeConfig) -> int:
    counts = {Guidance.NONE: 1, Guidance.SINGLE: 2}
    return counts.get(config.guidance, len(config.scales) + 1)


def _time(
    system: System, config: DecodeConfig, samples: int, batch_size: int, levels: int
) -> tuple[float, float]:
    """Seconds of a batch apart from its steps, and of one step of a batch."""
    contexts = np.zeros((batch_size, samples), np.float32)
    zeros = np.zeros(batch_size, np.int32)

    def run(steps: int) -> float:
        trial = [dataclasses.replace(config, steps=(steps,))] * batch_size
        started = time.perf_counter()
        jax.block_until_ready(system.answer(contexts, zeros, zeros, zeros, trial))
        return time.perf_counter() - started

    for steps in TRIAL_STEPS:  # each compiles a preamble of its own
        run(steps)
    few, many = (run(steps) for steps in TRIAL_STEPS)
    per_step = max(0.0, many - few) / (levels * (TRIAL_STEPS[1] - TRIAL_STEPS[0]))
    return max(0.0, few - levels * TRIAL_STEPS[0] * per_step), per_step


def seconds_per_stem(
    system: System, config: DecodeConfig, contexts: np.ndarray
) -> float:
    """Of stems decoded together for contexts [B, N], compiled before; the less of two.

    With the codec's part; without reading and writing files.
    """
    zeros = np.zeros(len(contexts), np.int32)

    def run() -> float:
        started = time.perf_counter()
        configs = [config] * len(contexts)
        jax.block_until_ready(system.answer(contexts, zeros, zeros, zeros, configs))
        return time.perf_counter() - started

    run()  # compiles
    return min(run(), run()) / len(contexts)


def lines(cost: Cost) -> list[str]:
    """The cost in words."""
    return [
        f"{cost.stems} stems of {cost.audio_seconds:g} s,"
        f" {cost.stems - cost.missing} of them there",
        f"{cost.forwards} forwards of one stem, {cost.programs} compiled programs",
        f"about {_duration(cost.seconds)} on this machine (timed: two short decodings"
        " of each program), then the analysis of each stem once",
        f"at most {cost.gigabytes:.2f} GB of FLAC",
    ]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def as_json(cost: Cost) -> dict[str, Any]:
    """The cost as JSON values."""
    return cost._asdict()

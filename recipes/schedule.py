"""How many steps fit, and a preset's learning rate stretched over them."""

import dataclasses

from stemjax.config.runs import CodecRun, Run
from stemjax.config.train import OptimConfig

FILL = 0.85  # of the seconds; the rest goes to evaluation and checkpoints
LEAST_STEPS = 10


def steps_that_fit(rate: float, seconds: float, most: int) -> int:
    """Steps at `rate` per second within `seconds`, at most `most`, at least 10."""
    return max(LEAST_STEPS, min(most, int(rate * seconds * FILL)))


def stretched(run: Run, steps: int) -> OptimConfig:
    """The preset's schedule with all its stages scaled to a run of `steps`."""
    factor = steps / run.steps
    return dataclasses.replace(
        run.optim,
        warmup_steps=max(1, round(run.optim.warmup_steps * factor)),
        hold_steps=round(run.optim.hold_steps * factor),
        decay_steps=round(run.optim.decay_steps * factor),
    )


def continuous_steps(run: Run, steps: int, done: int) -> int | None:
    """What is left after `done` of a codec's steps before it quantizes, stretched too.

    None where the preset has none, or is no codec's.
    """
    if not isinstance(run, CodecRun) or not run.objective.continuous_steps:
        return None
    whole = round(run.objective.continuous_steps * steps / run.steps)
    return max(0, whole - done)


def rest_of(optim: OptimConfig, done: int) -> OptimConfig:
    """The schedule from step `done` on, for a new optimiser that warms up again.

    Past the warm-up the rate goes on where the whole schedule would be.
    """
    past_warmup = max(0, done - optim.warmup_steps)
    past_hold = max(0, past_warmup - optim.hold_steps)
    decayed = min(1.0, past_hold / optim.decay_steps) if optim.decay_steps else 0.0
    return dataclasses.replace(
        optim,
        peak_lr=optim.peak_lr * optim.floor**decayed,
        floor=optim.floor ** (1 - decayed),
        hold_steps=max(0, optim.hold_steps - past_warmup),
        decay_steps=max(0, optim.decay_steps - past_hold),
    )

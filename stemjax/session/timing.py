"""Estimate of the decoding time on this machine."""

import time

import jax
import jax.numpy as jnp

from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.decode.stem_model import StemModel
from stemjax.decode.windows import overlap_of, window_starts
from stemjax.models.flops import flops_per_token

STEP_EFFICIENCY = 0.5
"""FLOP rate of a decoding step over that of a large matrix product (bundled model on two
CPU cores; docs/performance.md)."""
TRIAL_SIZE = 768
"""Rows of the square matrices of the trial."""
TRIALS = 3


def estimate_seconds(
    model: StemModel, frames: int, config: DecodeConfig, count: int
) -> float:
    """Estimate the time to decode `count` stems, without compilation.

    A rough estimate: it counts matrix products only and times a few of them.
    """
    window = min(frames, model.trained_frames)
    overlap = overlap_of(model.config.frame_rate, model.trained_frames)
    windows = len(window_starts(frames, model.trained_frames, overlap))
    steps = sum(config.steps_for(model.config.num_codebooks))
    branches = {Guidance.NONE: 1, Guidance.SINGLE: 2}.get(
        config.guidance, 1 + model.config.num_sources
    )
    forwards = windows * steps * branches * count
    # a forward and a backward pass cost three forward passes
    flops = forwards * window * flops_per_token(model.config, window) / 3
    return flops / (STEP_EFFICIENCY * _flops_per_second())


def _flops_per_second() -> float:
    """Measured FLOP rate of a square matrix product."""
    square = jnp.ones((TRIAL_SIZE, TRIAL_SIZE), jnp.float32)
    product = jax.jit(lambda x: x @ x)
    jax.block_until_ready(product(square))
    best = float("inf")
    for _ in range(TRIALS):
        started = time.perf_counter()
        jax.block_until_ready(product(square))
        best = min(best, time.perf_counter() - started)
    return 2 * TRIAL_SIZE**3 / best


def format_duration(seconds: float) -> str:
    """Format as "about 40 s" or "about 3 min"."""
    if seconds < 100:
        return f"about {max(1, round(seconds, -1 if seconds > 20 else 0)):.0f} s"
    return f"about {seconds / 60:.0f} min"

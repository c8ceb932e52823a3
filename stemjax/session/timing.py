"""How long an answer will take on this machine, before it is begun."""

import time

import jax
import jax.numpy as jnp

from stemjax.api import Model
from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.decode.windows import OVERLAP_SECONDS, window_starts
from stemjax.models.flops import flops_per_token

# of what large products reach, a decoding step reaches this share (two CPU cores, the
# bundled model; docs/performance.md)
SHARE_OF_PRODUCTS = 0.5
TRIAL_SIZE = 768
TRIALS = 3


def expected_seconds(
    model: Model, frames: int, config: DecodeConfig, count: int
) -> float:
    """Of decoding `count` answers to a context, without compiling: rough, as it counts
    products alone and times a few of them."""
    window = min(frames, model.trained_frames)
    overlap = min(
        round(OVERLAP_SECONDS * model.config.frame_rate), model.trained_frames // 2
    )
    windows = len(window_starts(frames, model.trained_frames, overlap))
    steps = sum(config.steps_for(model.config.num_codebooks))
    branches = {Guidance.NONE: 1, Guidance.SINGLE: 2}.get(
        config.guidance, 1 + model.config.num_sources
    )
    forwards = windows * steps * branches * count
    # training's forward and backward are three forwards
    flops = forwards * window * flops_per_token(model.config, window) / 3
    return flops / (SHARE_OF_PRODUCTS * _products_per_second())


def _products_per_second() -> float:
    """Floating-point operations a second of a square product."""
    square = jnp.ones((TRIAL_SIZE, TRIAL_SIZE), jnp.float32)
    product = jax.jit(lambda x: x @ x)
    jax.block_until_ready(product(square))
    best = float("inf")
    for _ in range(TRIALS):
        started = time.perf_counter()
        jax.block_until_ready(product(square))
        best = min(best, time.perf_counter() - started)
    return 2 * TRIAL_SIZE**3 / best


def in_words(seconds: float) -> str:
    """About 40 s, about 3 min."""
    if seconds < 100:
        return f"about {max(1, round(seconds, -1 if seconds > 20 else 0)):.0f} s"
    return f"about {seconds / 60:.0f} min"

"""Decoding speed, one JSON line: ms per step, times real time, seconds to compile.

`python benchmarks/decode.py [--seconds 10 20] [--presets fast best] [--batch 1]`.
The size of stemgen-mini, random weights and codes, no codec; the machine must be idle.
`together_over_apart` is the time of a step with the branches of guidance as one batch over
the time with one branch after another; it decided the default of `branches_together`.
"""

import argparse
import json
import time

import jax
import numpy as np

from stemjax.config.decode import DECODE_PRESETS, FAST
from stemjax.config.presets import STEMGEN_MINI
from stemjax.decode.iterate import decode
from stemjax.decode.network import StemGenNetwork
from stemjax.models import stemgen

CONFIG = STEMGEN_MINI.model


def timed(params, config, batch: int, seconds: float, **options) -> tuple[float, float]:
    """(seconds of one decoding after compiling, seconds of compiling)."""
    frames = round(seconds * CONFIG.frame_rate)
    rng = np.random.default_rng(0)
    shape = (batch, CONFIG.num_codebooks, frames)
    context = rng.integers(0, CONFIG.codebook_size, shape, np.int32)
    conditions = {"instrument": np.full(batch, 4, np.int32)}
    keys = jax.random.split(jax.random.key(0), batch)
    arguments = (context, conditions, keys)
    # settings other than guidance are traced: the shortest preset compiles for all
    first = decode(StemGenNetwork(CONFIG), params, FAST, *arguments, **options)
    if config.guidance is not FAST.guidance:
        first = decode(StemGenNetwork(CONFIG), params, config, *arguments, **options)
    jax.block_until_ready(first.codes)
    started = time.perf_counter()
    result = decode(StemGenNetwork(CONFIG), params, config, *arguments, **options)
    jax.block_until_ready(result.codes)
    return time.perf_counter() - started, first.compile_seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 20.0])
    parser.add_argument("--presets", nargs="+", default=["fast", "best"])
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    params = stemgen.init(jax.random.key(0), CONFIG)
    rows = []
    for seconds in arguments.seconds:
        for preset in arguments.presets:
            config = DECODE_PRESETS[preset]
            steps = sum(config.steps_for(CONFIG.num_codebooks))
            taken, compiling = timed(params, config, arguments.batch, seconds)
            rows.append(
                {
                    "preset": preset,
                    "guidance": config.guidance.value,
                    "seconds": seconds,
                    "steps": steps,
                    "ms_per_step": round(taken / steps * 1e3, 2),
                    "times_real_time": round(arguments.batch * seconds / taken, 3),
                    "compile_seconds": round(compiling, 2),
                }
            )
    both = [
        min(
            timed(params, FAST, arguments.batch, arguments.seconds[0], **order)[0]
            for _ in range(3)
        )
        for order in ({"branches_together": True}, {"branches_together": False})
    ]
    result = {
        "benchmark": "decode",
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "batch": arguments.batch,
        "together_over_apart": round(both[0] / both[1], 3),
        "rows": rows,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

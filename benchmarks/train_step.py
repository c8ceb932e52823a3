"""Training speed, one JSON line: tokens/s and model FLOP/s (StemGen), ms (codec).

`python benchmarks/train_step.py [--steps N]`. stemgen-mini on token batches and
codec-seanet on one-second crops, both with data already on the device: what the devices
can do.  MFU is model FLOPs over the measured matmul ceiling of this machine, float32 on
a CPU and bfloat16 elsewhere.
"""

import argparse
import json
import time

import jax
import jax.numpy as jnp

from stemjax.config.presets import CODEC_SEANET, STEMGEN_MINI
from stemjax.io.process.allocator import keep_memory
from stemjax.models.flops import flops_per_step
from stemjax.nn.axes import compute_dtype, make_mesh
from stemjax.tasks import codec as codec_task
from stemjax.tasks import stemgen as stemgen_task
from stemjax.train.speed import tokens_per_step
from stemjax.train.state import new_state, state_shardings
from stemjax.train.step import batch_sharding, make_train_step

MATMUL = 2048  # side of the square matrices whose product sets the ceiling


def seconds_per_step(task, run, steps: int) -> float:
    """Median over `steps` compiled steps on one dummy batch."""
    mesh = make_mesh(run.mesh)
    with jax.set_mesh(mesh):
        shardings = state_shardings(task, run, mesh)
        state = new_state(task, run, shardings)
        step = make_train_step(task, run, mesh, shardings)
        batch = jax.device_put(task.dummy_batch(run.batch_size), batch_sharding(mesh))
        times = []
        for _ in range(steps + 1):
            started = time.perf_counter()
            state, _, is_finite = step(state, {}, batch)
            is_finite.block_until_ready()
            times.append(time.perf_counter() - started)
    return sorted(times[1:])[steps // 2]


def matmul_ceiling(dtype) -> float:
    """FLOP/s of the best of five large matrix products on all devices."""
    x = jnp.ones((MATMUL, MATMUL), dtype)
    product = jax.jit(lambda a: a @ a)
    product(x).block_until_ready()
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        product(x).block_until_ready()
        best = min(best, time.perf_counter() - started)
    return 2 * MATMUL**3 / best * jax.device_count()


def main() -> None:
    keep_memory()  # as train.py does
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3)
    steps = parser.parse_args().steps
    run = STEMGEN_MINI
    dtype = compute_dtype(run.model.transformer.precision)
    task = stemgen_task.make(run, CODEC_SEANET.model, batches_are_tokens=True)
    seconds = seconds_per_step(task, run, steps)
    tokens = tokens_per_step(run)
    flops = flops_per_step(run.model, run.batch_size, tokens // run.batch_size)
    ceiling = matmul_ceiling(dtype)
    codec_seconds = seconds_per_step(codec_task.make(CODEC_SEANET), CODEC_SEANET, steps)
    result = {
        "benchmark": "train_step",
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "dtype": dtype.name,
        "stemgen_mini_ms": seconds * 1e3,
        "tokens_per_second": tokens / seconds,
        "model_flops_per_second": flops / seconds,
        "matmul_flops_per_second": ceiling,
        "mfu": flops / seconds / ceiling,
        "codec_seanet_ms": codec_seconds * 1e3,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

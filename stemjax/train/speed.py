"""What a step costs and what the machine can do: model FLOPs, their ceiling, memory."""

import resource
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp

from stemjax.config.runs import CommonRun, StemGenRun
from stemjax.config.train import MeshConfig
from stemjax.models.flops import flops_per_step
from stemjax.nn.axes import make_mesh
from stemjax.train.planning.dry_run import tokens_per_step

CPU_SIDE, ACCELERATOR_SIDE = 1024, 8192  # of the square matrices that are multiplied
REPEATS = 5


class StepCost(NamedTuple):
    """Of one optimiser step: tokens, and model FLOPs (None: nobody counts them)."""

    tokens: int = 0
    flops: int | None = None


UNCOUNTED = StepCost()


def step_cost(run: CommonRun) -> StepCost:
    """By the run's config alone (contracts.md, MFU)."""
    tokens = tokens_per_step(run)
    if not isinstance(run, StemGenRun):
        return StepCost(tokens)
    frames = tokens // run.batch_size
    return StepCost(tokens, flops_per_step(run.model, run.batch_size, frames))


def matmul_ceiling() -> float:
    """FLOP/s of the best of five large matrix products, on all devices together.

    In bfloat16 on accelerators, float32 on a CPU; measured on one device and counted
    for each.
    """
    device = jax.local_devices()[0]
    is_cpu = device.platform == "cpu"
    side = CPU_SIDE if is_cpu else ACCELERATOR_SIDE
    product = jax.jit(lambda a: a @ a)
    best = float("inf")
    with jax.set_mesh(make_mesh(MeshConfig(), [device])):
        x = jnp.ones((side, side), jnp.float32 if is_cpu else jnp.bfloat16)
        product(x).block_until_ready()
        for _ in range(REPEATS):
            started = time.perf_counter()
            product(x).block_until_ready()
            best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best * jax.device_count()


def peak_memory() -> dict[str, int]:
    """Most bytes held so far: `host_peak_bytes` of this process, and, where the backend
    counts them, `device_peak_bytes` of its fullest device."""
    found = {
        "host_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    }
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    peaks = [s["peak_bytes_in_use"] for s in stats if "peak_bytes_in_use" in s]
    return found | ({"device_peak_bytes": max(peaks)} if peaks else {})

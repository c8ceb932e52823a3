"""Cost of a step (model FLOPs), matmul rate of the machine, and peak memory."""

import resource
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp

from stemjax.config.runs import CodecRun, CommonRun, StemGenRun
from stemjax.config.train import MeshConfig
from stemjax.models.flops import flops_per_step
from stemjax.nn.axes import make_mesh

CPU_SIDE, ACCELERATOR_SIDE = 1024, 8192  # rows and columns of the matrices
REPEATS = 5


class StepCost(NamedTuple):
    """Cost of one optimiser step."""

    tokens: int = 0
    """Frames that are trained on."""
    flops: int | None = None
    """Model FLOPs; None: not known for this kind of model."""


UNCOUNTED = StepCost()


def tokens_per_step(run: CommonRun) -> int:
    """Frames that one step trains on, over all examples; a frame holds Q codes."""
    match run:
        case StemGenRun():
            frames = round(run.pairs.crop_seconds * run.model.frame_rate)
        case CodecRun():
            frames = round(run.objective.crop_seconds * run.model.frame_rate)
        case _:
            return 0
    return run.batch_size * frames


def step_cost(run: CommonRun) -> StepCost:
    """Cost of a step of a run, from its settings."""
    tokens = tokens_per_step(run)
    if not isinstance(run, StemGenRun):
        return StepCost(tokens)
    frames = tokens // run.batch_size
    return StepCost(tokens, flops_per_step(run.model, run.batch_size, frames))


def matmul_ceiling() -> float:
    """FLOP/s of large matrix products on all devices: the best of five on one device,
    times the number of devices; bfloat16 on accelerators, float32 on a CPU."""
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
    """Peak memory in bytes: `host_peak_bytes` of this process, and, if the backend counts
    it, `device_peak_bytes` of the fullest device."""
    memory = {
        "host_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    }
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    peaks = [s["peak_bytes_in_use"] for s in stats if "peak_bytes_in_use" in s]
    return memory | ({"device_peak_bytes": max(peaks)} if peaks else {})

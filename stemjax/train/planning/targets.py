"""Devices that a plan is compiled for: those of this machine, or of `--topology`.

A topology names a TPU slice (v5e:8x8) or NVIDIA GPUs (h100:8) that this machine need not
have: `jax.experimental.topologies` describes the devices to the compiler.  Nothing runs.
"""

import importlib.util
import math
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from stemjax.config.runs import Invocation
from stemjax.config.train import MeshConfig
from stemjax.io.errors import UserError

GPUS_PER_HOST = 8
TPU_NAME = re.compile(r"v\d+[a-z]*:\d+(x\d+)*")
GPU_NAME = re.compile(r"([a-z]+\d+):(\d+)")
TPU_PACKAGES = ("libtpu",)
GPU_PACKAGES = ("jax_plugins.xla_cuda12", "jax_plugins.xla_cuda13")
GIGABYTE = 10**9
# GB of memory by JAX's name of the chip (Google's documentation of Cloud TPU)
TPU_MEMORY = {
    "TPU v4": 32,
    "TPU v5 lite": 16,
    "TPU v5": 95,
    "TPU v6 lite": 32,
}
GPU_BUDGETS = (24, 40, 80, 141)  # GB: of cards from an RTX 4090 to an H200
# keep libtpu from asking the cloud for its machine, from locking it, and from logging
TPU_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-64",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
}
# Without a device no kernel can be chosen by timing, and Triton's matrix products need
# such a choice.  Neither changes the memory that the program needs.
GPU_COMPILER_OPTIONS = {
    "xla_gpu_autotune_level": 0,
    "xla_gpu_enable_triton_gemm": False,
}


class Gpu(NamedTuple):
    """Properties of a GPU that XLA compiles for, from NVIDIA's data sheets.

    XLA has such descriptions, but JAX 0.10 takes only the text of one, not its name.
    """

    capability: int
    """CUDA compute capability, major."""
    cores: int
    """Multiprocessors."""
    lanes: int
    """Float32 units per multiprocessor."""
    shared_memory: int
    """Bytes per multiprocessor."""
    cache: int
    """Bytes of L2 cache."""
    clock_ghz: float
    """Clock rate in GHz."""
    bandwidth: float
    """Memory bandwidth in bytes/s."""


GPUS = {
    "a100": Gpu(8, 108, 64, 167_936, 40 << 20, 1.41, 2.039e12),
    "h100": Gpu(9, 132, 128, 233_472, 50 << 20, 1.98, 3.352e12),
    "h200": Gpu(9, 132, 128, 233_472, 50 << 20, 1.98, 4.8e12),
}
# bytes of memory that XLA may use: enough that it does not rematerialise by itself
UNBOUNDED = 10**12


def check_request(invocation: Invocation) -> None:
    """Check `--compile` and `--topology` before jax is loaded.

    Raises:
      UserError: a flag without the one it needs, an unknown topology, or a compiler that
        is not installed.
    """
    topology = invocation.topology
    if invocation.compile and not invocation.dry_run:
        raise UserError("--compile: prints a plan and trains nothing; add --dry-run")
    if topology is None:
        return
    if not invocation.compile:
        raise UserError(
            "--topology: names devices to compile for; add --dry-run --compile"
        )
    gpu = GPU_NAME.fullmatch(topology)
    if gpu and gpu[1] in GPUS and int(gpu[2]) > 0:
        _check_installed(topology, GPU_PACKAGES, "cuda12")
    elif TPU_NAME.fullmatch(topology):
        _check_installed(topology, TPU_PACKAGES, "tpu")
    else:
        raise UserError(
            f"--topology {topology}: name a TPU slice, such as v5e:8x8, or GPUs,"
            f" {'|'.join(GPUS)} and how many, such as h100:8"
        )


def _check_installed(topology: str, packages: Sequence[str], extra: str) -> None:
    if not any(map(_is_installed, packages)):
        raise UserError(
            f"--topology {topology}: its compiler is not installed; pip install -e"
            f' ".[{extra}]"'
        )


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # no parent package
        return False


def configure_jax(invocation: Invocation, mesh: MeshConfig) -> None:
    """Configure JAX's devices for a plan, before their first use.

    With a topology JAX uses no accelerator of this machine.  Without one, `--compile`
    on a CPU gets as many virtual devices as the mesh has (other backends ignore it).
    """
    import jax

    if invocation.topology:
        for name, value in TPU_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        jax.config.update("jax_platforms", "cpu")
        # a program from the cache can be loaded only onto its device
        jax.config.update("jax_enable_compilation_cache", False)
    elif invocation.compile:
        sizes = (mesh.data, mesh.fsdp, mesh.tensor)
        devices = math.prod(max(size, 1) for size in sizes)  # -1 takes the rest
        if devices > 1:
            jax.config.update("jax_num_cpu_devices", devices)


class CompileTarget(NamedTuple):
    """Devices to compile for."""

    devices: Sequence
    """Devices of JAX, or descriptions of devices."""
    memory_gb: tuple[int, ...]
    """Memory sizes in GB, one for each row of the plan's table."""
    options: dict
    """Options of the compiler."""


def compile_target(topology: str | None) -> CompileTarget:
    """The devices of a topology; None: of this machine.

    Raises:
      UserError: a TPU slice that does not exist.
    """
    import jax
    from jax.experimental import topologies

    if topology is None:
        return _target_on(jax.devices())
    if gpu := GPU_NAME.fullmatch(topology):
        description = topologies.get_topology_desc(
            platform="cuda",
            target_config=_target_config(gpu[1]),
            topology=_cluster(int(gpu[2])),
        )
        return CompileTarget(description.devices, GPU_BUDGETS, GPU_COMPILER_OPTIONS)
    # a slice of one chip needs the bounds of a host with one chip
    is_single = topology.endswith((":1", ":1x1", ":1x1x1"))
    bounds = {"chips_per_host_bounds": (1, 1, 1)} if is_single else {}
    try:
        description = topologies.get_topology_desc(topology, platform="tpu", **bounds)
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).splitlines()[0].removeprefix("INVALID_ARGUMENT: ")
        raise UserError(f"--topology {topology}: {reason}") from None
    return _target_on(description.devices)


def _target_on(devices: Sequence) -> CompileTarget:
    """A target whose one row is the chip's memory, or one row for each size of GPU."""
    memory = TPU_MEMORY.get(devices[0].device_kind)
    return CompileTarget(devices, (memory,) if memory else GPU_BUDGETS, {})


def _cluster(gpus: int) -> str:
    """XLA's name of a cluster: slices x hosts x GPUs of a host."""
    per_host = GPUS_PER_HOST if gpus % GPUS_PER_HOST == 0 else gpus
    return f"1x{gpus // per_host}x{per_host}"


def _target_config(name: str) -> str:
    """Text of XLA's `GpuTargetConfigProto` for a GPU."""
    gpu = GPUS[name]
    return f"""
gpu_device_info {{
  cuda_compute_capability {{ major: {gpu.capability} }}
  core_count: {gpu.cores}
  fpus_per_core: {gpu.lanes}
  shared_memory_per_core: {gpu.shared_memory}
  shared_memory_per_block_optin: {gpu.shared_memory - 1024}
  shared_memory_per_block: {48 << 10}
  l2_cache_size: {gpu.cache}
  clock_rate_ghz: {gpu.clock_ghz}
  memory_bandwidth: {gpu.bandwidth:.0f}
  device_memory_size: {UNBOUNDED}
  threads_per_warp: 32
  threads_per_block_limit: 1024
  threads_per_core_limit: 2048
  registers_per_core_limit: {64 << 10}
  registers_per_block_limit: {64 << 10}
  block_dim_limit_x: {2**31 - 1}
  block_dim_limit_y: {2**16 - 1}
  block_dim_limit_z: {2**16 - 1}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 }}
runtime_version {{ major: 12 }}
device_description_str: "{name}"
"""

"""What a plan is compiled for: this machine's devices, or a TPU pod or NVIDIA GPUs that
are not here, by name (`--topology v5e:8x8`, `--topology h100:8`).

Compilers need no device: `jax.experimental.topologies` describes one to them.  Nothing
is run.
"""

import importlib.util
import math
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from stemjax.config.runs import CommonRun
from stemjax.io.errors import UserError

GPUS_PER_HOST = 8
TPU_NAME = re.compile(r"v\d+[a-z]*:\d+(x\d+)*")
GPU_NAME = re.compile(r"([a-z]+\d+):(\d+)")
TPU_PACKAGES = ("libtpu",)
GPU_PACKAGES = ("jax_plugins.xla_cuda12", "jax_plugins.xla_cuda13")
GIGABYTE = 10**9
# memory of a chip by jax's name of its kind (Google's documentation of Cloud TPU), GB
TPU_MEMORY = {
    "TPU v4": 32,
    "TPU v5 lite": 16,
    "TPU v5": 95,
    "TPU v6 lite": 32,
}
GPU_BUDGETS = (24, 40, 80, 141)  # GB: of cards from an RTX 4090 to an H200
# libtpu asks the cloud which machine this is, allows one process a machine, and talks
TPU_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-64",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
}
# Without a device nothing can be timed, so no kernel is chosen by timing; Triton's
# products need such a choice.  Neither changes what is kept in memory.
GPU_COMPILER_OPTIONS = {
    "xla_gpu_autotune_level": 0,
    "xla_gpu_enable_triton_gemm": False,
}


class Gpu(NamedTuple):
    """What XLA asks of a GPU that is not here (NVIDIA's data sheets)."""

    capability: int  # CUDA compute capability, major
    cores: int  # multiprocessors
    lanes: int  # float32 units of each
    shared_memory: int  # bytes of each
    cache: int  # bytes of L2
    clock_ghz: float
    bandwidth: float  # bytes/s


GPUS = {
    "a100": Gpu(8, 108, 64, 167_936, 40 << 20, 1.41, 2.039e12),
    "h100": Gpu(9, 132, 128, 233_472, 50 << 20, 1.98, 3.352e12),
    "h200": Gpu(9, 132, 128, 233_472, 50 << 20, 1.98, 4.8e12),
}
# of the GPU as XLA sees it: so much that it does not rematerialise of its own accord
# before the budgets are compared
UNBOUNDED = 10**12


def check_request(run: CommonRun) -> None:
    """What can be said of `--compile` and `--topology` before jax is loaded.

    Raises:
      UserError: flags that need one another, a name of nothing, a compiler not here.
    """
    if run.compile and not run.dry_run:
        raise UserError("--compile: prints a plan and trains nothing; add --dry-run")
    if not run.topology:
        return
    if not run.compile:
        raise UserError("--topology: is compiled for; add --dry-run --compile")
    gpu = GPU_NAME.fullmatch(run.topology)
    if gpu and gpu[1] in GPUS and int(gpu[2]) > 0:
        _check_installed(run.topology, GPU_PACKAGES, "cuda12")
    elif TPU_NAME.fullmatch(run.topology):
        _check_installed(run.topology, TPU_PACKAGES, "tpu")
    else:
        raise UserError(
            f"--topology {run.topology}: name a TPU slice, such as v5e:8x8, or GPUs,"
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
    except ModuleNotFoundError:  # the package that it would be in
        return False


def set_up(run: CommonRun) -> None:
    """Tell jax what to start; before its first use.

    For a topology no device of this machine is touched.  Else a CPU is given as many
    virtual devices as the mesh names (other backends ignore it): a compiled program
    needs devices.
    """
    import jax

    if run.topology:
        for name, value in TPU_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        jax.config.update("jax_platforms", "cpu")
        # a program read from the cache is one to run, which needs its device
        jax.config.update("jax_enable_compilation_cache", False)
    elif run.compile:
        sizes = (run.mesh.data, run.mesh.fsdp, run.mesh.tensor)
        devices = math.prod(max(size, 1) for size in sizes)  # -1: what is left
        if devices > 1:
            jax.config.update("jax_num_cpu_devices", devices)


class Target(NamedTuple):
    """Devices to compile for.

    memory_gb: budgets that the plan's table has a row for.  options: of the compiler.
    """

    devices: Sequence
    memory_gb: tuple[int, ...]
    options: dict


def target_of(run: CommonRun) -> Target:
    """The devices of `run.topology`, or of this machine.

    Raises:
      UserError: a TPU slice that does not exist.
    """
    import jax
    from jax.experimental import topologies

    if not run.topology:
        devices = jax.devices()
        known = TPU_MEMORY.get(devices[0].device_kind)
        return Target(devices, (known,) if known else GPU_BUDGETS, {})
    if gpu := GPU_NAME.fullmatch(run.topology):
        described = topologies.get_topology_desc(
            platform="cuda",
            target_config=_described(gpu[1]),
            topology=_hosts(int(gpu[2])),
        )
        return Target(described.devices, GPU_BUDGETS, GPU_COMPILER_OPTIONS)
    # the bounds of a host: one chip, where there is but one
    single = run.topology.endswith((":1", ":1x1", ":1x1x1"))
    bounds = {"chips_per_host_bounds": (1, 1, 1)} if single else {}
    try:
        described = topologies.get_topology_desc(run.topology, platform="tpu", **bounds)
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).splitlines()[0].removeprefix("INVALID_ARGUMENT: ")
        raise UserError(f"--topology {run.topology}: {reason}") from None
    kind = described.devices[0].device_kind
    known = TPU_MEMORY.get(kind)
    return Target(described.devices, (known,) if known else GPU_BUDGETS, {})


def _hosts(gpus: int) -> str:
    """ "slices x hosts x GPUs of a host" of a cluster."""
    per_host = GPUS_PER_HOST if gpus % GPUS_PER_HOST == 0 else gpus
    return f"1x{gpus // per_host}x{per_host}"


def _described(name: str) -> str:
    """XLA's text of a `GpuTargetConfigProto`; fields that all of `GPUS` share, once."""
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

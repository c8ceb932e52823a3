"""Plan of `--dry-run --compile`: memory that a run needs, and settings that make it fit."""

import dataclasses
import functools
import math
import sys
from collections.abc import Callable
from typing import Any

from jax.sharding import AbstractMesh, Mesh

from stemjax.config.codec import AnyCodecConfig
from stemjax.config.runs import CommonRun, StemGenRun
from stemjax.tasks.task import Task
from stemjax.train.planning.compiled import (
    CompiledProgram,
    abstract_codec,
    compile_decoder,
    compile_train_step,
)
from stemjax.train.planning.fits import BudgetFit, MemorySetting, cheapest, settings
from stemjax.train.planning.targets import GIGABYTE, CompileTarget
from stemjax.train.step import BATCH_AXES

DECODED_TOGETHER = 32  # contexts on each group of devices, at most
CPU_ONLY = (
    "compiled for a CPU, in float32; for the memory on an accelerator give --topology"
    " h100:1 or v5e:8x8"
)


def shares_of(mesh: Mesh | AbstractMesh) -> int:
    """Number of equal shares of a batch, one for each group of devices."""
    return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def with_setting(run: CommonRun, setting: MemorySetting) -> CommonRun:
    """`run` with a memory setting."""
    loop = dataclasses.replace(run.loop, accumulate=setting.accumulate)
    run = dataclasses.replace(run, loop=loop)
    if not isinstance(run, StemGenRun):
        return run
    net = dataclasses.replace(
        run.model.transformer, rematerialise=setting.is_rematerialised
    )
    model = dataclasses.replace(run.model, transformer=net)
    return dataclasses.replace(run, model=model)


def plan(
    run: CommonRun,
    make_task: Callable[[CommonRun], Task],
    step_codec: AnyCodecConfig | None,
    mesh: Mesh,
    target: CompileTarget,
    *,
    num_frames: int,
) -> dict[str, Any]:
    """Entries that `--compile` adds to the plan: `compiled_for`, and one per program.

    Args:
      make_task: task of a run.
      step_codec: codec that encodes the audio in every step; None: no codec does.
      num_frames: frames of a crop.
    """
    device = mesh.devices.flat[0]
    entries: dict[str, Any] = {
        "compiled_for": {
            "platform": device.platform,
            "device": device.device_kind,
            "devices": mesh.size,
        }
    }
    if device.platform == "cpu":
        print(CPU_ONLY, file=sys.stderr)
    frozen = abstract_codec(step_codec) if step_codec else {}
    entries["train_step"] = train_step_entry(run, make_task, frozen, mesh, target)
    if isinstance(run, StemGenRun):
        entries["train_step"]["encodes_audio"] = step_codec is not None
        shares = shares_of(mesh)
        contexts = shares * min(run.batch_size // shares, DECODED_TOGETHER)
        program = compile_decoder(
            run.model,
            mesh,
            batch_size=contexts,
            num_frames=num_frames,
            options=target.options,
        )
        entries["decoder"] = {
            "contexts": contexts,
            "frames": num_frames,
            **memory_entry(program),
        }
    return entries


def train_step_entry(
    run: CommonRun,
    make_task: Callable[[CommonRun], Task],
    frozen: Any,
    mesh: Mesh,
    target: CompileTarget,
) -> dict[str, Any]:
    """Entry of the training step: as the run sets it, and fitted to each memory size.

    Args:
      make_task: task of a run.
      frozen: shapes of the task's frozen weights.
    """

    @functools.cache
    def compiled(setting: MemorySetting) -> CompiledProgram | None:
        changed = with_setting(run, setting)
        return compile_train_step(
            make_task(changed),
            changed,
            mesh,
            frozen,
            name=" ".join(["train_step", *flags(setting)]),
            options=target.options,
        )

    def peak_of(setting: MemorySetting) -> int | None:
        program = compiled(setting)
        return program.peak if program else None

    has_layers = isinstance(run, StemGenRun)
    as_set = MemorySetting(
        has_layers and run.model.transformer.rematerialise, run.loop.accumulate
    )
    entry = memory_entry(compiled(as_set))
    share = run.batch_size // shares_of(mesh)
    candidates = [s for s in settings(share) if has_layers or not s.is_rematerialised]
    budgets = [gb * GIGABYTE for gb in target.memory_gb]
    fits = cheapest(budgets, candidates, peak_of)
    return entry | {"fits": [fit_entry(fit) for fit in fits]}


def flags(setting: MemorySetting) -> list[str]:
    """Flags of train.py for a setting."""
    words = ["--model.transformer.rematerialise"] if setting.is_rematerialised else []
    if setting.accumulate > 1:
        words += ["--loop.accumulate", str(setting.accumulate)]
    return words


def fit_entry(fit: BudgetFit) -> dict[str, Any]:
    """Row of the table; `flags` is "" if the step fits without any."""
    text = "does not fit" if fit.setting is None else " ".join(flags(fit.setting))
    return {
        "memory_gb": fit.budget // GIGABYTE,
        "flags": text,
        "peak_bytes": fit.peak,
    }


def memory_entry(program: CompiledProgram | None) -> dict[str, Any]:
    """Numbers of a program, bytes on one device; None: it does not fit the device."""
    if program is None:
        return {"peak_bytes": None}
    return {
        "argument_bytes": program.arguments,
        "output_bytes": program.outputs,
        "donated_bytes": program.donated,
        "activation_bytes": program.temporaries,
        "peak_bytes": program.peak,
        "program_flops": program.flops,
        "device_flops": program.device_flops,
        "collectives": program.collectives,
        "compile_seconds": program.seconds,
    }

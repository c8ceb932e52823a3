"""`--dry-run --compile`: the memory that a run needs, and how to make it fit."""

import dataclasses
import math
import sys
from collections.abc import Callable
from typing import Any

from jax.sharding import AbstractMesh, Mesh

from stemjax.config.codec import CodecConfig
from stemjax.config.runs import CommonRun, StemGenRun
from stemjax.io.errors import UserError
from stemjax.nn.axes import make_mesh
from stemjax.tasks.task import Task
from stemjax.train.planning.compiled import (
    Compiled,
    abstract_codec,
    compile_decoder,
    compile_train_step,
)
from stemjax.train.planning.fits import Fit, Setting, cheapest, settings
from stemjax.train.planning.targets import GIGABYTE, Target
from stemjax.train.step import BATCH_AXES

DECODED_TOGETHER = 32  # contexts on each group of devices, at most
CPU_ONLY = (
    "for a CPU: float32, and XLA there hardly saves memory by rematerialising;"
    " of an accelerator's memory, ask with --topology h100:1 or v5e:8x8"
)


def mesh_on(run: CommonRun, target: Target) -> Mesh:
    """The run's mesh on the target's devices.

    Raises:
      UserError: sizes that are not the target's.
    """
    try:
        return make_mesh(run.mesh, target.devices)
    except ValueError as error:
        raise UserError(f"--mesh: {error}") from None


def shares_of(mesh: Mesh | AbstractMesh) -> int:
    """Equal parts that a batch is cut into, one on each group of devices."""
    return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def with_setting(run: CommonRun, setting: Setting) -> CommonRun:
    """`run` with its memory saved as `setting` says."""
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
    make: Callable[[CommonRun], Task],
    codec: CodecConfig | None,
    mesh: Mesh,
    target: Target,
    *,
    num_frames: int,
) -> dict[str, Any]:
    """What `--compile` adds to the object: `compiled_for` and an entry per program.

    make: the task of a run.  codec: that the step encodes audio with; None: it does
    not.  num_frames: of a crop.
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
    frozen = abstract_codec(codec) if codec else {}
    entries["train_step"] = train_step_entry(run, make, frozen, mesh, target)
    if isinstance(run, StemGenRun):
        entries["train_step"]["encodes_audio"] = codec is not None
        shares = shares_of(mesh)
        contexts = shares * min(run.batch_size // shares, DECODED_TOGETHER)
        found = compile_decoder(
            run.model,
            mesh,
            batch_size=contexts,
            num_frames=num_frames,
            options=target.options,
        )
        entries["decoder"] = {
            "contexts": contexts,
            "frames": num_frames,
            **memory_entry(found),
        }
    return entries


def train_step_entry(
    run: CommonRun,
    make: Callable[[CommonRun], Task],
    frozen: Any,
    mesh: Mesh,
    target: Target,
) -> dict[str, Any]:
    """One step as the run has it, and its table of budgets.

    make: the task of a run.  frozen: shapes of its frozen weights.
    """
    known: dict[Setting, Compiled | None] = {}

    def measured(setting: Setting) -> Compiled | None:
        if setting not in known:
            changed = with_setting(run, setting)
            known[setting] = compile_train_step(
                make(changed),
                changed,
                mesh,
                frozen,
                name=" ".join(["train_step", *flags(setting)]),
                options=target.options,
            )
        return known[setting]

    def peak_of(setting: Setting) -> int | None:
        found = measured(setting)
        return found.peak if found else None

    has_layers = isinstance(run, StemGenRun)
    own = Setting(
        has_layers and run.model.transformer.rematerialise, run.loop.accumulate
    )
    entry = memory_entry(measured(own))
    share = run.batch_size // shares_of(mesh)
    candidates = [s for s in settings(share) if has_layers or not s.is_rematerialised]
    budgets = [gb * GIGABYTE for gb in target.memory_gb]
    fits = cheapest(budgets, candidates, peak_of)
    return entry | {"fits": [fit_entry(fit) for fit in fits]}


def flags(setting: Setting) -> list[str]:
    """The command line's words for a setting."""
    words = ["--model.transformer.rematerialise"] if setting.is_rematerialised else []
    if setting.accumulate > 1:
        words += ["--loop.accumulate", str(setting.accumulate)]
    return words


def fit_entry(fit: Fit) -> dict[str, Any]:
    """A row of the table; `flags` is "" where the step fits as it is."""
    said = "does not fit" if fit.setting is None else " ".join(flags(fit.setting))
    return {
        "memory_gb": fit.budget // GIGABYTE,
        "flags": said,
        "peak_bytes": fit.peak,
    }


def memory_entry(found: Compiled | None) -> dict[str, Any]:
    """A program's numbers under the names of the JSON object; bytes of one device."""
    if found is None:
        return {"peak_bytes": None}
    return {
        "argument_bytes": found.arguments,
        "output_bytes": found.outputs,
        "donated_bytes": found.donated,
        "activation_bytes": found.temporaries,
        "peak_bytes": found.peak,
        "program_flops": found.flops,
        "device_flops": found.device_flops,
        "collectives": found.collectives,
        "compile_seconds": found.seconds,
    }

"""What a run would be, without running it: counts, FLOPs and bytes, all abstract."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AbstractMesh, AxisType, Mesh

from stemjax.config.codec import CodecConfig
from stemjax.config.runs import CodecRun, CommonRun, StemGenRun
from stemjax.config.train import MeshConfig
from stemjax.models.flops import flops_per_step, parameter_counts
from stemjax.nn.axes import MESH_AXES
from stemjax.tasks.task import Task
from stemjax.train.planning.plan import mesh_on, plan, shares_of
from stemjax.train.planning.targets import target_of
from stemjax.train.state import abstract_state, state_shardings
from stemjax.train.step import check_batch


def planned_mesh(cfg: MeshConfig) -> AbstractMesh:
    """The mesh by its sizes alone; -1 takes what this machine's devices leave."""
    rest = max(1, jax.device_count() // (cfg.fsdp * cfg.tensor))
    sizes = (cfg.data if cfg.data > 0 else rest, cfg.fsdp, cfg.tensor)
    return AbstractMesh(sizes, MESH_AXES, axis_types=(AxisType.Auto,) * len(sizes))


def tokens_per_step(run: CommonRun) -> int:
    """Positions that one step trains on: frames (each holds Q codes) x examples."""
    match run:
        case StemGenRun():
            frames = round(run.pairs.crop_seconds * run.model.frame_rate)
        case CodecRun():
            frames = round(run.objective.crop_seconds * run.model.frame_rate)
        case _:
            return 0
    return run.batch_size * frames


def bytes_per_device(task: Task, run: CommonRun, mesh: Mesh | AbstractMesh) -> int:
    """State, gradients and one batch on each device; activations are not counted."""
    state, places = abstract_state(task, run), state_shardings(task, run, mesh)

    def on_one(tree, shardings) -> int:
        return sum(
            math.prod(s.shard_shape(x.shape)) * x.dtype.itemsize
            for x, s in zip(
                jax.tree.leaves(tree), jax.tree.leaves(shardings), strict=True
            )
        )

    batch = sum(x.nbytes for x in task.dummy_batch(run.batch_size).values())
    held = on_one(
        (state.params, state.opt_state, state.ema, state.model_state),
        (places.params, places.opt_state, places.ema, places.model_state),
    )
    return held + on_one(state.params, places.params) + batch // shares_of(mesh)


def report(
    run: CommonRun, make: Callable[[CommonRun], Task], codec: CodecConfig | None
) -> dict[str, Any]:
    """The JSON object of `--dry-run` (contracts.md), with `--compile` its programs.

    make: the task of a run.  codec: that the step encodes audio with; None: it does
    not.

    Raises:
      UserError: a mesh or a topology that does not exist, a batch that does not divide.
    """
    task = make(run)
    target = target_of(run) if run.compile else None
    mesh = planned_mesh(run.mesh) if target is None else mesh_on(run, target)
    check_batch(run, mesh)
    tokens = tokens_per_step(run)
    frames = tokens // run.batch_size
    if isinstance(run, StemGenRun):
        counts = parameter_counts(run.model)
        flops = flops_per_step(run.model, run.batch_size, frames)
    else:
        shapes = abstract_state(task, run)
        kept = {k: v for k, v in shapes.params.items() if k not in task.fresh_parts}
        counts = {
            "backbone": sum(x.size for x in jax.tree.leaves(kept)),
            "embedding": 0,
            "head": 0,
        }
        flops = None  # convolutions: counted in the program, where it is compiled
    programs = {}
    if target is not None:
        programs = plan(run, make, codec, mesh, target, num_frames=frames)
    if flops is None and programs:
        flops = programs["train_step"]["program_flops"]
    return {
        **{f"{name}_params": count for name, count in counts.items()},
        "tokens_per_step": tokens,
        "flops_per_step": flops,
        "bytes_per_device": bytes_per_device(task, run, mesh),
        "mesh": dict(mesh.shape),
        **programs,
    }

"""Plan of a run without running it: parameters, FLOPs and bytes, all from shapes."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AbstractMesh, AxisType, Mesh

from stemjax.config.codec import AnyCodecConfig
from stemjax.config.runs import CommonRun, StemGenRun
from stemjax.config.train import MeshConfig
from stemjax.models.flops import parameter_counts
from stemjax.nn.axes import MESH_AXES
from stemjax.tasks.task import Task
from stemjax.train.planning.plan import plan, shares_of
from stemjax.train.planning.targets import CompileTarget
from stemjax.train.speed import step_cost
from stemjax.train.state import abstract_state, state_shardings
from stemjax.train.step import check_batch, mesh_of


def planned_mesh(cfg: MeshConfig) -> AbstractMesh:
    """Mesh of sizes without devices; -1 takes the rest of this machine's devices."""
    rest = max(1, jax.device_count() // (cfg.fsdp * cfg.tensor))
    sizes = (cfg.data if cfg.data > 0 else rest, cfg.fsdp, cfg.tensor)
    return AbstractMesh(sizes, MESH_AXES, axis_types=(AxisType.Auto,) * len(sizes))


def bytes_per_device(task: Task, run: CommonRun, mesh: Mesh | AbstractMesh) -> int:
    """Bytes of state, gradients and batch on each device, without activations."""
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
    run: CommonRun,
    make_task: Callable[[CommonRun], Task],
    step_codec: AnyCodecConfig | None,
    target: CompileTarget | None,
) -> dict[str, Any]:
    """The JSON object of `--dry-run`.

    Args:
      make_task: task of a run.
      step_codec: codec that encodes the audio in every step; None: no codec does.
      target: devices to compile the programs for; None: nothing is compiled.

    Returns:
      `backbone_params`, `embedding_params`, `head_params`, `tokens_per_step`,
      `flops_per_step` (None: not known without compiling), `bytes_per_device`, `mesh`,
      and the entries of `plan` for a target.

    Raises:
      UserError: a mesh that does not fit the target, or a batch that does not divide.
    """
    task = make_task(run)
    if target is None:
        mesh = planned_mesh(run.mesh)
        check_batch(run, mesh)
    else:
        mesh = mesh_of(run, target.devices)
    tokens, flops = step_cost(run)
    if isinstance(run, StemGenRun):
        counts = parameter_counts(run.model)
    else:
        shapes = abstract_state(task, run)
        kept = {k: v for k, v in shapes.params.items() if k not in task.fresh_parts}
        counts = {
            "backbone": sum(x.size for x in jax.tree.leaves(kept)),
            "embedding": 0,
            "head": 0,
        }
    programs = {}
    if target is not None:
        frames = tokens // run.batch_size
        programs = plan(run, make_task, step_codec, mesh, target, num_frames=frames)
    if flops is None and programs:  # of convolutions: counted in the compiled program
        flops = programs["train_step"]["program_flops"]
    return {
        **{f"{name}_params": count for name, count in counts.items()},
        "tokens_per_step": tokens,
        "flops_per_step": flops,
        "bytes_per_device": bytes_per_device(task, run, mesh),
        "mesh": dict(mesh.shape),
        **programs,
    }

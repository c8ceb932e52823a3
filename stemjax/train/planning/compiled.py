"""Programs compiled and not run: their memory on each device, FLOPs and collectives.

Every argument is a shape with a sharding, so that nothing is made and the devices need
not be here.
"""

import collections
import functools
import re
import sys
import time
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stemjax.codec import functional
from stemjax.config.codec import CodecConfig
from stemjax.config.decode import BEST, DecodeConfig
from stemjax.config.model import ConditionKind, StemGenConfig
from stemjax.config.runs import CommonRun
from stemjax.decode import iterate
from stemjax.decode.network import StemGenNetwork
from stemjax.decode.settings import stack_settings
from stemjax.models import stemgen
from stemjax.tasks.task import Task
from stemjax.train.planning.program_flops import program_flops
from stemjax.train.sharding import param_shardings, unbox
from stemjax.train.state import abstract_state, state_shardings
from stemjax.train.step import BATCH_AXES, batch_sharding, make_train_step

COLLECTIVE = re.compile(
    r"\b(all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)"
    r"(?:-start)?\("
)
NO_MEMORY = "RESOURCE_EXHAUSTED"  # what a TPU's compiler says of too large a program


class Compiled(NamedTuple):
    """What a compiler says of one program; bytes are of one device.

    arguments, outputs: state and batch, in and out.  donated: of the outputs, what
    takes the place of an argument.  temporaries: what lives in between, activations
    and gradients.  peak: all of them, and the code, at once.  flops: of all devices,
    counted before compiling.  device_flops: of one device by the compiler's count,
    the body of a loop once; None where it does not say.  collectives: how many of each
    kind; a loop's once.  seconds: that compiling took.
    """

    arguments: int
    outputs: int
    donated: int
    temporaries: int
    peak: int
    flops: int
    device_flops: float | None
    collectives: dict[str, int]
    seconds: float


def like(tree: Any, shardings: Any) -> Any:
    """Shapes and types of `tree`, each with its place."""
    return jax.tree.map(
        lambda x, place: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place),
        tree,
        shardings,
    )


def everywhere(tree: Any, mesh: Mesh) -> Any:
    """`tree` with a whole copy on every device."""
    whole = NamedSharding(mesh, PartitionSpec())
    return like(tree, jax.tree.map(lambda _: whole, tree))


def abstract_codec(cfg: CodecConfig) -> dict[str, Any]:
    """The frozen weights that a step on audio encodes with."""
    params, codebooks = jax.eval_shape(
        lambda: functional.init(jax.random.key(0), cfg),
    )
    return {"params": params, "codebooks": codebooks}


def compile_train_step(
    task: Task, run: CommonRun, mesh: Mesh, frozen: Any, *, name: str, options: dict
) -> Compiled | None:
    """One optimiser step of `run`.

    frozen: shapes of the task's frozen weights.  name, options: see `_compile`.
    """
    shardings = state_shardings(task, run, mesh)
    state = like(abstract_state(task, run), shardings)
    rows = batch_sharding(mesh)
    dummy = task.dummy_batch(run.batch_size)
    batch = like(dummy, {key: rows for key in dummy})
    step = make_train_step(task, run, mesh, shardings)
    args = (state, everywhere(frozen, mesh), batch)
    return _compile(step, args, mesh, name=name, options=options)


def compile_decoder(
    model: StemGenConfig,
    mesh: Mesh,
    *,
    batch_size: int,
    num_frames: int,
    config: DecodeConfig = BEST,
    name: str = "decoder",
    options: dict,
) -> Compiled | None:
    """The program that decodes: `CHUNK` steps of any level, `batch_size` contexts."""
    network = StemGenNetwork(model)
    static, settings = stack_settings(
        config,
        batch_size,
        num_codebooks=model.num_codebooks,
        num_sources=model.num_sources,
    )

    def outline():
        conditions = {
            c.name: np.zeros(batch_size, np.int32)
            if c.kind is ConditionKind.CATEGORICAL
            else np.zeros((batch_size, c.size), np.float32)
            for c in model.conditions
        }
        codes = np.zeros((batch_size, model.num_codebooks, num_frames), np.int32)
        lengths = np.full(batch_size, num_frames, np.int32)
        keys = jax.random.split(jax.random.key(0), batch_size)
        params = stemgen.init(jax.random.key(0), model)
        embedded, state, plan = iterate._start(
            network, static, params, codes, conditions, lengths, codes, codes > 0
        )
        level = np.int32(0)
        return embedded, settings, keys, lengths, level, plan[0][0], state

    embedded, rows, keys, lengths, level, steps, state = jax.eval_shape(outline)
    boxed = jax.eval_shape(lambda: stemgen.init(jax.random.key(0), model, boxed=True))
    params = like(unbox(boxed), param_shardings(boxed, mesh))

    def laid(tree, spec):
        return like(tree, jax.tree.map(lambda _: NamedSharding(mesh, spec), tree))

    rowwise = functools.partial(laid, spec=PartitionSpec(BATCH_AXES))
    step_major = PartitionSpec(None, BATCH_AXES)  # [steps, B]
    with jax.set_mesh(mesh):
        branches_together = iterate.are_faster_together()
    args = (
        network,
        static.is_filtered,
        branches_together,
        params,
        rowwise(embedded),
        rowwise(rows),
        rowwise(keys),
        rowwise(lengths),
        everywhere(level, mesh),
        iterate.Steps(
            number=everywhere(steps.number, mesh),
            reveals=laid(steps.reveals, step_major),
            share=laid(steps.share, step_major),
        ),
        rowwise(state),
    )
    return _compile(iterate._run_chunk, args, mesh, name=name, options=options)


def _compile(program, args, mesh, *, name, options) -> Compiled | None:
    """None: the compiler found no room for it on the device.

    name: for the line on stderr, because minutes may pass.  options: the compiler's.
    """
    kind = mesh.devices.flat[0].device_kind
    print(f"compiling {name} for {mesh.size} x {kind} ...", file=sys.stderr, flush=True)
    started = time.perf_counter()
    with jax.set_mesh(mesh):
        traced = program.trace(*args)
        try:
            compiled = traced.lower().compile(compiler_options=options)
        except jax.errors.JaxRuntimeError as error:
            if NO_MEMORY not in str(error):
                raise
            compiled = None
    seconds = time.perf_counter() - started
    if compiled is None:
        print(f"  {seconds:.0f} s: does not fit its memory", file=sys.stderr)
        return None
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    found = Compiled(
        arguments=memory.argument_size_in_bytes,
        outputs=memory.output_size_in_bytes,
        donated=memory.alias_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        peak=memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.generated_code_size_in_bytes,
        flops=program_flops(traced.jaxpr),
        device_flops=cost.get("flops") if cost else None,
        collectives=dict(
            sorted(collections.Counter(COLLECTIVE.findall(compiled.as_text())).items())
        ),
        seconds=round(seconds, 1),
    )
    print(f"  {seconds:.0f} s: {found.peak / 1e9:.2f} GB", file=sys.stderr, flush=True)
    return found

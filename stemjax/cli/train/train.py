"""`train.py PRESET`: train a model, or print the plan of a run."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax

from stemjax.cli.train.source import BatchSource, open_source
from stemjax.codec import load as load_codec
from stemjax.codec.codec import Codec
from stemjax.config.codec import AnyCodecConfig, CodecConfig
from stemjax.config.presets import Preset, fit_to_codec
from stemjax.config.runs import CodecRun, Invocation, Run, StemGenRun
from stemjax.config.train import traced_steps
from stemjax.io.cache import use_compilation_cache
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text
from stemjax.io.process.lock import only_process
from stemjax.tasks import codec as codec_task
from stemjax.tasks import stemgen as stemgen_task
from stemjax.tasks.task import Task
from stemjax.train import codecs
from stemjax.train.clips import clips_hook
from stemjax.train.initial import (
    InitialWeights,
    check_initial_weights,
    codebook_weights,
    initial_weights,
)
from stemjax.train.loop import TrainingOutcome, TrainingParts, fit
from stemjax.train.planning import dry_run
from stemjax.train.planning.targets import compile_target, configure_jax
from stemjax.train.processes import is_writer, share_of_batch
from stemjax.train.speed import step_cost
from stemjax.train.step import mesh_of


def train(preset: Preset, run: Run, invocation: Invocation) -> TrainingOutcome:
    """Train a run, or print its plan with `--dry-run`.

    Raises:
      UserError: inputs that are missing, or do not fit together or to this machine.
    """
    configure_jax(invocation, run.mesh)
    if invocation.dry_run:
        return _train(preset, run, invocation)
    _check_machine(run, invocation)
    check_initial_weights(run)
    lock = only_process(invocation.workdir) if is_writer() else contextlib.nullcontext()
    with lock:
        return _train(preset, run, invocation)


def _train(preset: Preset, run: Run, invocation: Invocation) -> TrainingOutcome:
    use_compilation_cache()
    start = initial_weights(run)
    run = start.run
    source = _open_source(run, invocation)
    setup = _task_setup(preset, run, invocation, source)
    if invocation.dry_run:
        target = compile_target(invocation.topology) if invocation.compile else None
        plan = dry_run.report(setup.run, setup.make_task, setup.step_codec, target)
        print(json_text(plan))
        return TrainingOutcome.DONE
    steps = invocation.profile_steps
    return fit(
        _parts(setup, start, source, invocation.workdir),
        invocation.workdir,
        profile_steps=None if steps is None else traced_steps(steps),
    )


class TaskSetup(NamedTuple):
    """A run with its task and its codec."""

    run: Run
    """The run, with the model's shape fitted to the codec."""
    make_task: Callable[[Run], Task]
    """Task of a run; a plan makes tasks of changed runs."""
    step_codec: AnyCodecConfig | None = None
    """Codec that encodes the audio in every step; None: no codec does."""
    codec: Codec | None = None
    """Codec of the tokens, loaded; None: a codec's run, or nothing to load."""


def _check_machine(run: Run, invocation: Invocation) -> None:
    is_cpu = jax.default_backend() == "cpu"
    if run.paper_size and is_cpu and not invocation.allow_cpu:
        raise UserError(
            "the paper's size would take months on a CPU; use an accelerator, the preset"
            " stemgen-mini, or --allow-cpu"
        )


def _open_source(run: Run, invocation: Invocation) -> BatchSource | None:
    """The run's data; None for a dry run without data."""
    if not invocation.dry_run:
        share = share_of_batch(mesh_of(run), run.batch_size)
    elif run.data is not None:
        share = (0, 1)
    else:
        return None
    return open_source(run, invocation.loader, share)


def _task_setup(
    preset: Preset, run: Run, invocation: Invocation, source: BatchSource | None
) -> TaskSetup:
    if isinstance(run, CodecRun):
        return TaskSetup(run, codec_task.make)
    if source is not None and source.codec is not None:
        codec, shape = codecs.codec_of_tokens(run, source.codec)
        are_tokens = True
    else:
        codec = _codec_of_audio(preset, run, invocation)
        shape = CodecConfig() if codec is None else codec.config
        # a dry run without data plans for tokens, which train faster than audio
        are_tokens = source is None and not preset.is_self_contained
    return TaskSetup(
        run=dataclasses.replace(run, model=fit_to_codec(run.model, shape)),
        make_task=functools.partial(
            stemgen_task.make, codec_config=shape, batches_are_tokens=are_tokens
        ),
        step_codec=None if are_tokens else shape,
        codec=codec,
    )


def _codec_of_audio(
    preset: Preset, run: StemGenRun, invocation: Invocation
) -> Codec | None:
    """The codec of `--codec`, or the preset's random one; None for a dry run without one.

    Raises:
      UserError: no such codec, or none is given and the preset needs one.
    """
    if run.codec is not None:
        return load_codec(run.codec)
    if preset.is_self_contained:
        return codecs.random_codec(None if invocation.dry_run else invocation.workdir)
    if invocation.dry_run:
        return None
    raise UserError("give --codec NAME|DIR, e.g. --codec codec-mini")


def _parts(
    setup: TaskSetup, start: InitialWeights, source: BatchSource, workdir: str
) -> TrainingParts:
    """Everything that `fit` needs."""
    run, codec = setup.run, setup.codec
    task = setup.make_task(run)
    identity = {"data": source.digest, "init_from": start.sha256}
    about = {}
    if isinstance(run, StemGenRun):
        used = source.codec if codec is None else codec
        identity |= {"codec": used.sha256, "codec_config": used.config_sha256}
        about = {"codec": codecs.about_codec(run, used)}
    weights = start.weights
    if weights is None and codec is not None and run.objective.codebook_init:
        weights = codebook_weights(task, run, codec.variables)
    return TrainingParts(
        task=task,
        run=run,
        frozen={} if codec is None or setup.step_codec is None else codec.variables,
        train_batches=source.train,
        eval_batches=source.evaluate,
        hooks=clips_hook(run, codec, source.evaluate, workdir),
        identity=identity,
        about=about,
        cost=step_cost(run),
        initial=weights,
    )

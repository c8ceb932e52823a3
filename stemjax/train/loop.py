"""`fit`: the training loop of every task (StemGen, sec. 3); all but the steps is hooks."""

import dataclasses
import enum
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stemjax.config.runs import CommonRun
from stemjax.io.json_file import write_json
from stemjax.io.process.signals import CONTINUES
from stemjax.io.remote import as_path
from stemjax.tasks.task import Task
from stemjax.train import checkpoint, processes, resume
from stemjax.train.heartbeat import RunPhase
from stemjax.train.hooks import (
    Hook,
    Logger,
    TrainingProgress,
    evaluate,
    note_best,
    profile_hook,
)
from stemjax.train.layout import BEST, NONFINITE, REPORT, SERIES
from stemjax.train.prefetch import Prefetch
from stemjax.train.sharding import place
from stemjax.train.speed import UNCOUNTED, StepCost
from stemjax.train.state import (
    TrainState,
    abstract_state,
    new_state,
    state_shardings,
    unsaved,
)
from stemjax.train.step import (
    batch_sharding,
    make_eval_step,
    make_train_step,
    mesh_of,
)
from stemjax.train.termination import Termination

Batch = Mapping[str, np.ndarray]


class TrainingOutcome(enum.IntEnum):
    """End of a run; the value is the exit code of train.py."""

    DONE = 0
    NONFINITE = 3
    """A loss or a gradient was not finite."""
    INTERRUPTED = 130
    """SIGINT: 128 + 2."""
    TERMINATED = 143
    """SIGTERM: 128 + 15."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingParts:
    """Everything that a run trains with."""

    task: Task
    run: CommonRun
    frozen: Any
    """Arrays that the task reads and the run does not train; an argument of the step."""
    train_batches: Callable[[int], Iterator[Batch]]
    """First step -> this process's share of the batches from that step on, endless."""
    eval_batches: Callable[[], Iterator[Batch]] | None
    """-> this process's share of the validation batches, with `is_valid`: finite, and
    the same in every call.  None: no evaluation, no best step, no early stop."""
    hooks: tuple[Hook, ...] = ()
    """Hooks that run after logging and evaluation, before the checkpoint."""
    identity: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Digests of the run's inputs; a resumed run must have the same."""
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Other entries of run.json."""
    cost: StepCost = UNCOUNTED
    """Cost of a step, for the logged throughput."""
    initial: tuple[Any, Any] | None = None
    """(params, model_state) of a new run; None: those of `task.init`."""


def fit(
    parts: TrainingParts,
    workdir: str | os.PathLike,
    *,
    profile_steps: tuple[int, int] | None = None,
) -> TrainingOutcome:
    """Train until `run.steps`, an early stop, a signal or a non-finite step.

    The same call with the same workdir resumes at its newest checkpoint, bit for bit on
    a CPU.

    Args:
      workdir: local, or anything that `etils.epath` opens.
      profile_steps: (first, last]: steps to trace for TensorBoard.

    Raises:
      UserError: a workdir of another run, a batch that does not divide, or a checkpoint
        that cannot be written.
    """
    run, workdir = parts.run, as_path(workdir)
    resume.claim(
        workdir,
        parts.task.name,
        run,
        parts.identity,
        parts.about,
        is_writer=processes.is_writer(),
    )
    if sentence := resume.finished(workdir, run.steps):
        print_once(sentence)
        return TrainingOutcome.DONE
    if processes.is_writer():
        checkpoint.drop_surplus(workdir / SERIES, run.loop.checkpoint_keep)
        checkpoint.drop_surplus(workdir / BEST, 1)
    processes.wait_for_all("claimed")
    mesh = mesh_of(run)
    with (
        jax.set_mesh(mesh),
        checkpoint.open_series(workdir / SERIES, run.loop.checkpoint_keep) as series,
        checkpoint.open_series(workdir / BEST, 1) as best,
        Termination(series) as termination,
    ):
        session = _open_session(parts, workdir, mesh, series, best, profile_steps)
        try:
            is_finite = _run_steps(session, termination)
            if not is_finite:
                _write_nonfinite(workdir, run, session.state)
                return TrainingOutcome.NONFINITE
            session.save()
            for manager in (series, best):
                checkpoint.wait(manager)
        finally:
            session.batches.close()
            session.log.close()
    return _end(session, workdir, termination)


@dataclasses.dataclass
class _Session:
    """One start of a run: compiled steps, state on the devices, open logs."""

    run: CommonRun
    series: ocp.CheckpointManager
    progress: TrainingProgress
    log: Logger
    batches: Prefetch
    """This process's batches, on the devices."""
    frozen: Any
    """The task's frozen arrays, on the devices."""
    train_step: Callable
    hooks: list[Hook]
    state: TrainState
    step: int
    """Optimiser steps done."""

    def save(self) -> None:
        """Start writing a checkpoint of the current step."""
        self.log.drain()
        checkpoint.save(self.series, self.state, self.progress.to_json())


def _open_session(
    parts: TrainingParts,
    workdir: epath.Path,
    mesh: Mesh,
    series: ocp.CheckpointManager,
    best: ocp.CheckpointManager,
    profile_steps: tuple[int, int] | None,
) -> _Session:
    """Restore or make the state, place the arrays, open the logs, set up the hooks."""
    task, run = parts.task, parts.run
    shardings = state_shardings(task, run, mesh)
    state, progress = _restored_or_new(parts, series, shardings)
    start = int(state.step)
    if processes.is_writer():
        resume.rewind(workdir, start)
    replicated = NamedSharding(mesh, PartitionSpec())
    frozen = place(parts.frozen, jax.tree.map(lambda _: replicated, parts.frozen))
    rows = batch_sharding(mesh)

    def move(batch: Batch) -> dict[str, jax.Array]:
        return {
            k: jax.make_array_from_process_local_data(rows, v) for k, v in batch.items()
        }

    train_step = make_train_step(task, run, mesh, shardings)
    eval_step = make_eval_step(task, mesh, shardings)
    batches = Prefetch(parts.train_batches(start), move)
    log = Logger(
        workdir, run, progress, start_step=start, cost=parts.cost, batches=batches
    )
    session = _Session(
        run=run,
        series=series,
        progress=progress,
        log=log,
        batches=batches,
        frozen=frozen,
        train_step=train_step,
        hooks=[],
        state=state,
        step=start,
    )

    def validate(step: int, state: TrainState) -> None:
        values = evaluate(eval_step, state, frozen, parts.eval_batches(), move)
        log.log_evaluation(step, values)
        if note_best(progress, task, run, step, values):
            checkpoint.save(best, state, progress.to_json())

    session.hooks = [
        Hook(run.loop.log_every, log.log),
        Hook(run.loop.eval_every if parts.eval_batches else 0, validate),
        *parts.hooks,
        Hook(run.loop.checkpoint_every, lambda step, state: session.save()),
    ]
    if profile_steps:
        session.hooks.append(profile_hook(workdir, profile_steps))
    return session


def _run_steps(session: _Session, termination: Termination) -> bool:
    """Train to the end or to an interruption; False after a step that was not finite."""
    is_finite = None  # flag of the newest step, on the device
    while (
        session.step < session.run.steps
        and not session.progress.is_stopped
        and not termination.is_due(session.step)
    ):
        before = is_finite
        session.state, sums, is_finite = session.train_step(
            session.state, session.frozen, next(session.batches)
        )
        session.step += 1
        termination.defer()
        session.log.collect(sums)
        session.log.beat(session.step)
        due = [hook for hook in session.hooks if hook.is_due(session.step)]
        # read the flag one step late, while the devices compute the newest step
        if _is_false(before) or (due and _is_false(is_finite)):
            return False
        for hook in due:
            hook.run(session.step, session.state)
    return not _is_false(is_finite)


def _end(
    session: _Session, workdir: epath.Path, termination: Termination
) -> TrainingOutcome:
    """Write DONE, or the heartbeat of a run that was interrupted."""
    step, is_stopped = session.step, session.progress.is_stopped
    if step < session.run.steps and not is_stopped:
        received = termination.received
        print_once(f"{workdir}: {received.name}, saved step {step}; {CONTINUES}")
        session.log.beat(step, RunPhase.SAVED)
        return TrainingOutcome(128 + received)
    reason = "no better validation" if is_stopped else "steps"
    if processes.is_writer():
        resume.mark_done(workdir, step, reason)
    print_once(f"{workdir}: finished at step {step} ({reason})")
    return TrainingOutcome.DONE


def print_once(text: str) -> None:
    """Print a line, in one of the processes."""
    if processes.is_writer():
        print(text, flush=True)


def _is_false(flag: jax.Array | None) -> bool:
    return flag is not None and not bool(flag)


def _restored_or_new(
    parts: TrainingParts, series: ocp.CheckpointManager, shardings: TrainState
) -> tuple[TrainState, TrainingProgress]:
    """State and progress of the newest checkpoint, or of step 0."""
    task, run = parts.task, parts.run
    restored = checkpoint.restore_newest(series, abstract_state(task, run), shardings)
    if restored is not None:
        state, host = restored
        print_once(f"resuming at step {int(state.step)}")
        progress = TrainingProgress.from_json(host)
        return state._replace(**unsaved(run, shardings)), progress
    state = new_state(task, run, shardings)
    if parts.initial is not None:
        params, model_state = parts.initial
        places = {
            k: v for k, v in shardings.params.items() if k not in task.fresh_parts
        }
        fresh = {part: state.params[part] for part in task.fresh_parts}
        params = place(params, places) | fresh
        state = state._replace(
            params=params,
            model_state=place(model_state, shardings.model_state),
            ema=None if state.ema is None else jax.tree.map(jax.numpy.copy, params),
        )
    return state, TrainingProgress()


def _write_nonfinite(workdir: epath.Path, run: CommonRun, state: TrainState) -> None:
    """Save the last finite state and its data position, outside the resumable series."""
    folder = workdir / NONFINITE
    if processes.is_writer() and folder.is_dir():
        folder.rmtree()
    processes.wait_for_all("removed the last non-finite state")
    step = int(state.step)
    with checkpoint.open_series(folder / "state", 1) as manager:
        checkpoint.save(manager, state, {})
    report = {
        "step": step,
        "first_data_index": step * run.batch_size,
        "last_data_index": (step + 1) * run.batch_size - 1,
        "seed": run.seed,
    }
    if processes.is_writer():
        write_json(folder / REPORT, report)
    print_once(
        f"{workdir}: loss or gradient not finite in the step after {step}; the state is"
        f" that of step {step}. See {folder}/report.json; a lower --optim.peak-lr often"
        " helps"
    )

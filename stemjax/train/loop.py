"""`fit`: one trainer for every task (StemGen, sec. 3). All but the steps is hooks."""

import enum
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stemjax.config.runs import CommonRun
from stemjax.config.train import traced_steps
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.remote import as_path
from stemjax.nn.axes import make_mesh
from stemjax.tasks.task import Task
from stemjax.train import checkpoint, heartbeat, processes, resume
from stemjax.train.hooks import (
    Hook,
    Logger,
    Progress,
    evaluate,
    note_best,
    profile_hook,
)
from stemjax.train.layout import NONFINITE, REPORT
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
    check_batch,
    make_eval_step,
    make_train_step,
)


class Outcome(enum.IntEnum):
    """How a run ended; the value is the exit code of train.py."""

    DONE = 0
    NONFINITE = 3
    INTERRUPTED = 143  # 128 + SIGTERM


def fit(
    task: Task,
    run: CommonRun,
    *,
    frozen: Any,
    train_batches: Callable[[int], Iterator[Mapping[str, np.ndarray]]],
    eval_batches: Callable[[], Iterator[Mapping[str, np.ndarray]]] | None,
    workdir: str | os.PathLike,
    hooks: Sequence[Hook] = (),
    identity: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
    cost: StepCost = UNCOUNTED,
    initial: Any = None,
) -> Outcome:
    """Train until `run.steps`, early stop, SIGTERM or a non-finite step.

    The same call on the same workdir goes on from its newest checkpoint, bit for bit
    on a CPU.

    Args:
      frozen: arrays that the task reads and nobody trains; an argument of the step.
      train_batches: first step -> this process's batches from that step on, endless.
      eval_batches: -> this process's finite batches with `is_valid`, the same ones
        each time; None: no evaluation, no best, no early stop.
      hooks: run after logging and evaluation, before the checkpoint.
      identity: digests of what else decides what is learned; a resumed run must
        have the same.
      about: what else run.json should say.
      cost: for the throughput that is logged.
      initial: (params, model_state) of a new run instead of `task.init`'s.

    Raises:
      UserError: another run's workdir, or a batch that does not divide.
    """
    workdir = as_path(workdir)
    resume.claim(
        workdir,
        task.name,
        run,
        identity or {},
        about or {},
        is_writer=processes.is_writer(),
    )
    if sentence := resume.finished(workdir, run.steps):
        say(sentence)
        return Outcome.DONE
    processes.wait_for_all("claimed")
    mesh = mesh_of(run)
    with (
        jax.set_mesh(mesh),
        checkpoint.open_series(
            workdir / checkpoint.SERIES, run.loop.checkpoint_keep
        ) as series,
        checkpoint.open_series(workdir / checkpoint.BEST, 1) as best,
        _Termination(series) as termination,
    ):
        shardings = state_shardings(task, run, mesh)
        state, progress = _start(task, run, series, shardings, initial)
        start = int(state.step)
        if processes.is_writer():
            resume.rewind(workdir, start)
        everywhere = NamedSharding(mesh, PartitionSpec())
        frozen = place(frozen, jax.tree.map(lambda _: everywhere, frozen))
        rows = batch_sharding(mesh)

        def move(batch):
            return {
                k: jax.make_array_from_process_local_data(rows, v)
                for k, v in batch.items()
            }

        train_step = make_train_step(task, run, mesh, shardings)
        eval_step = make_eval_step(task, mesh, shardings)
        batches = Prefetch(train_batches(start), move)
        log = Logger(
            workdir,
            run,
            progress,
            start_step=start,
            cost=cost,
            batches=batches,
        )

        def validate(step: int, state: TrainState) -> None:
            values = evaluate(eval_step, state, frozen, eval_batches(), move)
            log.log_evaluation(step, values)
            if note_best(progress, task, run, step, values):
                checkpoint.save(best, state, progress.to_json())

        def keep(step: int, state: TrainState) -> None:
            log.drain()
            checkpoint.save(series, state, progress.to_json())

        all_hooks = [
            Hook(run.loop.log_every, log.log),
            Hook(run.loop.eval_every if eval_batches else 0, validate),
            *hooks,
            Hook(run.loop.checkpoint_every, keep),
        ]
        if run.profile_steps:
            all_hooks.append(profile_hook(workdir, traced_steps(run.profile_steps)))
        try:
            step, flag = start, None
            while (
                step < run.steps
                and not progress.is_stopped
                and not termination.is_due(step)
            ):
                state, sums, now = train_step(state, frozen, next(batches))
                step += 1
                log.collect(sums)
                log.beat(step)
                due = [hook for hook in all_hooks if hook.is_due(step)]
                # one step late: the devices are busy with the step just sent
                flag, last = now, flag
                if _is_false(last) or (due and _is_false(flag)):
                    _write_nonfinite(workdir, run, state)
                    return Outcome.NONFINITE
                for hook in due:
                    hook.run(step, state)
            if _is_false(flag):
                _write_nonfinite(workdir, run, state)
                return Outcome.NONFINITE
            keep(step, state)
        finally:
            batches.close()
            log.close()
        for manager in (series, best):
            manager.wait_until_finished()
    is_whole = step >= run.steps or progress.is_stopped
    if not is_whole:
        say(f"{workdir}: SIGTERM, saved step {step}; the same command goes on")
        log.beat(step, heartbeat.State.SAVED)
        return Outcome.INTERRUPTED
    reason = "no better validation" if progress.is_stopped else "steps"
    if processes.is_writer():
        resume.mark_done(workdir, step, reason)
    say(f"{workdir}: finished at step {step} ({reason})")
    return Outcome.DONE


def say(text: str) -> None:
    """Print what every process would say, once."""
    if processes.is_writer():
        print(text, flush=True)


def mesh_of(run: CommonRun) -> Mesh:
    """The mesh of a run whose batch divides over it.

    Raises:
      UserError: sizes that do not fit the devices, or a batch that does not divide.
    """
    try:
        mesh = make_mesh(run.mesh)
    except ValueError as error:
        raise UserError(f"--mesh: {error}") from None
    check_batch(run, mesh)
    return mesh


def _is_false(flag: jax.Array | None) -> bool:
    return flag is not None and not bool(flag)


def _start(task, run, series, shardings, initial) -> tuple[TrainState, Progress]:
    """The newest checkpoint, or step 0."""
    restored = checkpoint.restore_newest(series, abstract_state(task, run), shardings)
    if restored is not None:
        state, host = restored
        say(f"resuming at step {int(state.step)}")
        return state._replace(**unsaved(run, shardings)), Progress.from_json(host)
    fresh = new_state(task, run, shardings)
    if initial is not None:
        params, model_state = initial
        places = {
            k: v for k, v in shardings.params.items() if k not in task.fresh_parts
        }
        own = {part: fresh.params[part] for part in task.fresh_parts}
        params = place(params, places) | own
        fresh = fresh._replace(
            params=params,
            model_state=place(model_state, shardings.model_state),
            ema=None if fresh.ema is None else jax.tree.map(jax.numpy.copy, params),
        )
    return fresh, Progress()


def _write_nonfinite(workdir: epath.Path, run: CommonRun, state: TrainState) -> None:
    """The last finite state and where the data stood, outside the resumable series."""
    folder = workdir / NONFINITE
    if processes.is_writer() and folder.is_dir():
        folder.rmtree()
    processes.wait_for_all("removed the last non-finite state")
    step = int(state.step)
    with checkpoint.open_series(folder / "state", 1) as manager:
        checkpoint.save(manager, state, {})
        manager.wait_until_finished()
    report = {
        "step": step,
        "first_data_index": step * run.batch_size,
        "last_data_index": (step + 1) * run.batch_size - 1,
        "seed": run.seed,
    }
    if processes.is_writer():
        write_text(folder / REPORT, json.dumps(report, indent=2) + "\n")
    say(
        f"{workdir}: loss or gradient not finite in the step after {step}; nothing of"
        f" it entered the state. See {folder}/report.json; a lower --optim.peak-lr"
        " often helps"
    )


class _Termination:
    """Whether SIGTERM asks the run to save and end after the step that is running.

    One process listens for the signal itself.  Of many, each asks orbax's preemption
    check once a step: a signal to any of them makes all stop at one and the same step.
    """

    def __init__(self, series: ocp.CheckpointManager):
        self._series = series
        self._is_shared = jax.distributed.is_initialized()

    def __enter__(self) -> "_Termination":
        self._is_set = threading.Event()
        self._before = None
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and not self._is_shared:
            self._before = signal.signal(
                signal.SIGTERM, lambda number, frame: self._is_set.set()
            )
        return self

    def __exit__(self, *error) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def is_due(self, step: int) -> bool:
        """Asked once before every step, by all processes alike."""
        if self._is_shared:
            return self._series.reached_preemption(step)
        return self._is_set.is_set()

"""Hooks of the training loop: logging, evaluation, best step, early stop, profiles.

A hook is `(every, run)`; the loop calls `run(step, state)` after each `every`-th step,
with `step` counted from 1.  Hooks run in the order in which they are given.
"""

import contextlib
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from etils import epath

from stemjax.config.runs import CommonRun
from stemjax.io.remote import local_folder
from stemjax.tasks.task import Task
from stemjax.train import heartbeat, metrics
from stemjax.train.heartbeat import RunPhase
from stemjax.train.layout import PROFILE
from stemjax.train.prefetch import Prefetch
from stemjax.train.processes import is_writer
from stemjax.train.speed import StepCost, matmul_ceiling, peak_memory
from stemjax.train.state import TrainState

EVAL_SEED = 0  # of the masks at evaluation: the same for every seed of a run
BEAT_SECONDS = 15.0  # between heartbeats
LINE_SECONDS = 5.0  # between printed lines, without a terminal for a bar


class Hook(NamedTuple):
    """A function that the loop calls at regular steps."""

    every: int
    """Steps between calls; 0: never."""
    run: Callable[[int, TrainState], None]
    """(step, state): steps done, and the state after them."""

    def is_due(self, step: int) -> bool:
        return self.every > 0 and step % self.every == 0


@dataclasses.dataclass
class TrainingProgress:
    """The host's part of a run's state, saved with each checkpoint as JSON."""

    best_value: float | None = None
    """Best validation value so far; larger is better."""
    best_step: int = 0
    """Step of the best value."""
    window: metrics.HostSums = dataclasses.field(default_factory=dict)
    """Sums since the last line of metrics.jsonl."""
    is_stopped: bool = False
    """Whether early stopping has ended the run."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "TrainingProgress":
        window = {k: (v[0], v[1]) for k, v in saved["window"].items()}
        return cls(**{**saved, "window": window})


class Logger:
    """Writer of metrics.jsonl, TensorBoard events, the heartbeat and the progress bar.

    Metrics are read from the devices only at a log step or before a checkpoint.  Sums
    are added step by step in float64, so that an interrupted run logs the same means.  A
    line holds `step`, `loss` and the task's metrics (means since the last line),
    throughput (steps and tokens per second, `mfu`), `data_wait` (seconds per step) and
    peak memory.  Of several processes one writes.
    """

    def __init__(
        self,
        workdir: epath.Path,
        run: CommonRun,
        progress: TrainingProgress,
        *,
        start_step: int,
        cost: StepCost,
        batches: Prefetch,
    ):
        self._workdir = workdir
        self._run = run
        self._progress = progress
        self._cost = cost
        self._ceiling = matmul_ceiling() if cost.flops else math.inf
        self._batches = batches
        self._pack = jax.jit(lambda sums: jnp.stack(jax.tree.leaves(sums)))
        self._names: list[str] = []
        self._pending: list[jax.Array] = []  # per step: [2 x names]
        self._is_writer = is_writer()
        self._board = (
            metrics.TensorBoard(workdir, start_step) if self._is_writer else None
        )
        self._bar = _bar(start_step, run.steps) if self._is_writer else None
        self._steps = 0
        self._since = time.perf_counter()
        self._waited = 0.0
        self._printed = 0.0
        self._last_beat = -math.inf
        self.beat(start_step)

    def collect(self, sums: Any) -> None:
        """Add the sums of one step, without waiting for the devices."""
        self._names = sorted(sums)  # the order of a dict's leaves
        self._pending.append(self._pack(sums))
        self._steps += 1
        if self._bar is not None:
            self._bar.update()

    def drain(self) -> None:
        """Read the collected sums into `progress.window`; needed before a checkpoint."""
        for values in jax.device_get(self._pending):
            sums = dict(zip(self._names, values.reshape(-1, 2), strict=True))
            self._progress.window = metrics.add(self._progress.window, sums)
        self._pending = []

    def beat(self, step: int, phase: RunPhase = RunPhase.RUNNING) -> None:
        """Write the heartbeat, at most every `BEAT_SECONDS` while the run goes on."""
        now = time.monotonic()
        is_due = now - self._last_beat >= BEAT_SECONDS
        if self._is_writer and (is_due or phase is not RunPhase.RUNNING):
            heartbeat.write(self._workdir, step, phase)
            self._last_beat = now

    def log(self, step: int, state: TrainState) -> None:
        """Write a line with the means since the last one."""
        self.drain()
        values = metrics.divide(self._progress.window)
        self._progress.window = {}
        now = time.perf_counter()
        seconds = max(now - self._since, 1e-9)
        waited = self._batches.waited - self._waited
        speed = {
            "steps_per_second": self._steps / seconds,
            "tokens_per_second": self._steps * self._cost.tokens / seconds,
            "data_wait": waited / max(self._steps, 1),
        }
        if self._cost.flops:
            per_second = self._steps * self._cost.flops / seconds
            speed["mfu"] = per_second / self._ceiling
        speed |= peak_memory()
        self._since, self._waited, self._steps = now, self._batches.waited, 0
        if not self._is_writer:
            return
        path = self._workdir / metrics.METRICS
        metrics.append_line(path, {"step": step, **values, **speed})
        self._board.write(step, {f"train/{k}": v for k, v in (values | speed).items()})
        text = f"loss {values['loss']:.4f}"
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        elif now - self._printed >= LINE_SECONDS:
            self._printed = now
            left = (self._run.steps - step) / speed["steps_per_second"]
            print(
                f"step {step}/{self._run.steps} {text}"
                f" {speed['steps_per_second']:.2f} steps/s, {left / 60:.0f} min left",
                flush=True,
            )

    def log_evaluation(self, step: int, values: dict[str, float]) -> None:
        """Write a line of eval.jsonl."""
        self._since = time.perf_counter()  # evaluation is not training time
        if not self._is_writer:
            return
        path = self._workdir / metrics.EVALUATION
        metrics.append_line(path, {"step": step, **values})
        self._board.write(step, {f"eval/{k}": v for k, v in values.items()})
        shown = " ".join(
            f"{k} {v:.4f}" for k, v in values.items() if k in ("loss", "accuracy")
        )
        self.print_line(f"step {step} evaluation: {shown or values}")

    def print_line(self, text: str) -> None:
        """Print a line without breaking the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, flush=True)

    def close(self) -> None:
        if self._board is not None:
            self._board.close()
        if self._bar is not None:
            self._bar.close()


def _bar(start_step: int, steps: int):
    """A tqdm bar with the time left; None without a terminal."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(initial=start_step, total=steps, unit="step", dynamic_ncols=True)


def evaluate(
    eval_step: Callable,
    state: TrainState,
    frozen: Any,
    batches: Iterator[Any],
    move: Callable[[Any], Any],
) -> dict[str, float]:
    """Means of the task's metrics over validation batches.

    Args:
      batches: finite, with `is_valid` [B] bool for the rows that count.
      move: puts a batch on the devices.
    """
    key = jax.random.key(EVAL_SEED)
    total: metrics.HostSums = {}
    for batch in batches:
        sums = eval_step(state.averaged, state.model_state, frozen, move(batch), key)
        total = metrics.add(total, sums)
    return metrics.divide(total)


def note_best(
    progress: TrainingProgress,
    task: Task,
    run: CommonRun,
    step: int,
    values: dict[str, float],
) -> bool:
    """Record a validation result in `progress`, and decide on the early stop.

    Returns:
      Whether the step is the best so far.  A task without a deciding metric
      (`Task.higher_is_better` None) has no best step and no early stop.
    """
    if task.higher_is_better is None:
        return False
    name, should_rise = task.higher_is_better
    if name not in values:
        raise KeyError(f"task {task.name!r} evaluates no {name!r}: {sorted(values)}")
    value = values[name] if should_rise else -values[name]
    best = progress.best_value
    is_better = math.isfinite(value) and (best is None or value > best)
    if is_better:
        progress.best_value, progress.best_step = value, step
    patience = run.stop.patience_steps
    progress.is_stopped = 0 < patience <= step - progress.best_step
    return is_better


def profile_hook(workdir: epath.Path, steps: tuple[int, int]) -> Hook:
    """Hook that traces steps (first, last] into `workdir/profile`, for TensorBoard."""
    first, last = steps
    folder = contextlib.ExitStack()

    def run(step: int, state: TrainState) -> None:
        if step == first:
            local = folder.enter_context(local_folder(workdir / PROFILE))
            jax.profiler.start_trace(str(local))
        elif step == last:
            jax.block_until_ready(state.params)
            jax.profiler.stop_trace()
            folder.close()

    return Hook(1, run)

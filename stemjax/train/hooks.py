"""What happens beside the steps: logging, evaluation, best, early stop, profiles.

A hook is `(every, run)`; the loop calls `run(step, state)` after each `every`-th step
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
from stemjax.train.layout import PROFILE
from stemjax.train.prefetch import Prefetch
from stemjax.train.processes import is_writer
from stemjax.train.speed import StepCost, matmul_ceiling, peak_memory
from stemjax.train.state import TrainState

EVAL_SEED = 0  # of masks at evaluation: fixed, whatever the run's seed
BEAT_SECONDS = 15.0  # between signs of life
LINE_SECONDS = 5.0  # between printed lines where there is no terminal for a bar


class Hook(NamedTuple):
    """Call `run(step, state)` after every `every`-th step; never where it is 0."""

    every: int
    run: Callable[[int, TrainState], None]

    def is_due(self, step: int) -> bool:
        return self.every > 0 and step % self.every == 0


@dataclasses.dataclass
class Progress:
    """The host's part of the state; saved with each checkpoint as JSON."""

    best_value: float | None = None
    best_step: int = 0
    window: metrics.HostSums = dataclasses.field(default_factory=dict)
    is_stopped: bool = False

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Progress":
        window = {k: (v[0], v[1]) for k, v in saved["window"].items()}
        return cls(**{**saved, "window": window})


class Logger:
    """metrics.jsonl, TensorBoard, the heartbeat and the bar.

    Nothing is read from the devices but at a log step or before a checkpoint; sums are
    added step by step in float64, so that a run that was interrupted logs the same
    means.  A line holds `step`, `loss` (means since the last line), throughput (steps
    and tokens per second, `mfu`), `data_wait` (seconds per step) and peak memory.  Of
    many processes one writes.
    """

    def __init__(
        self,
        workdir: epath.Path,
        run: CommonRun,
        progress: Progress,
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
        self._pending: list[jax.Array] = []  # [2 x names], one a step
        self._is_writer = is_writer()
        self._board = (
            metrics.TensorBoard(workdir, start_step) if self._is_writer else None
        )
        self._bar = _bar(start_step, run.steps) if self._is_writer else None
        self._steps = 0
        self._since = time.perf_counter()
        self._waited = 0.0
        self._printed = 0.0
        self._beaten = -math.inf
        self.beat(start_step)

    def collect(self, sums: Any) -> None:
        """Add one step's sums, without waiting for them."""
        self._names = sorted(sums)  # the order of a dict's leaves
        self._pending.append(self._pack(sums))
        self._steps += 1
        if self._bar is not None:
            self._bar.update()

    def drain(self) -> None:
        """Bring what was collected into `progress.window` (before a checkpoint)."""
        for values in jax.device_get(self._pending):
            sums = dict(zip(self._names, values.reshape(-1, 2), strict=True))
            self._progress.window = metrics.add(self._progress.window, sums)
        self._pending = []

    def beat(self, step: int, state: heartbeat.State = heartbeat.State.RUNNING) -> None:
        """Say that the run is alive, where it was not said just now."""
        now = time.monotonic()
        is_due = now - self._beaten >= BEAT_SECONDS
        if self._is_writer and (is_due or state is not heartbeat.State.RUNNING):
            heartbeat.write(self._workdir, step, state)
            self._beaten = now

    def log(self, step: int, state: TrainState) -> None:
        """Write one line with the means since the last."""
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
        """Write one line of eval.jsonl."""
        self._since = time.perf_counter()  # evaluation is not training time
        if not self._is_writer:
            return
        path = self._workdir / metrics.EVALUATION
        metrics.append_line(path, {"step": step, **values})
        self._board.write(step, {f"eval/{k}": v for k, v in values.items()})
        shown = " ".join(
            f"{k} {v:.4f}" for k, v in values.items() if k in ("loss", "accuracy")
        )
        self.say(f"step {step} evaluation: {shown or values}")

    def say(self, text: str) -> None:
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
    """A tqdm bar with the time left, on a terminal only."""
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
    """Means over finite, padded batches; masks depend on EVAL_SEED and row alone."""
    key = jax.random.key(EVAL_SEED)
    total: metrics.HostSums = {}
    for batch in batches:
        sums = eval_step(state.averaged, state.model_state, frozen, move(batch), key)
        total = metrics.add(total, sums)
    return metrics.divide(total)


def note_best(
    progress: Progress, task: Task, run: CommonRun, step: int, values: dict[str, float]
) -> bool:
    """Keep the best validation value, decide on early stop; True for a new best.

    Where no metric decides (`Task.higher_is_better`), no step is best and none the last.
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
    """A trace of steps (first, last] in `workdir/profile`, for TensorBoard."""
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

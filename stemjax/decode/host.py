"""Host side of a decoding: input checks, compile time, progress reports."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from stemjax.arrays.sampling import MAX_FRAMES
from stemjax.decode.keep import Kept
from stemjax.decode.network import Network
from stemjax.nn.axes import target_platform

COMPILED = "/jax/core/compile/backend_compile_duration"  # event of jax.monitoring

ProgressCallback = Callable[[int, int], None]
"""Called with (steps done, total steps)."""


def are_faster_together() -> bool:
    """Whether one batch of all guidance branches is faster than one branch at a time on
    the target platform (docs/performance.md)."""
    return target_platform() != "cpu"


def check_inputs(
    network: Network,
    context_codes: jax.Array,
    conditions: dict[str, jax.Array],
    keys: jax.Array,
    lengths: Sequence[int] | np.ndarray | None,
    kept: Kept | None,
) -> np.ndarray:
    """Check that the inputs of a batch have matching shapes.

    Returns:
      The lengths [B] int32 of the contexts in frames, without padding.

    Raises:
      ValueError: a shape or type is wrong; the message names the argument.
    """
    shape = np.shape(context_codes)
    if len(shape) != 3 or shape[1] != network.num_codebooks or 0 in shape:
        raise ValueError(
            f"context_codes must be [B, Q={network.num_codebooks}, T], got {shape}"
        )
    batch, _, num_frames = shape
    if num_frames > MAX_FRAMES:
        raise ValueError(f"{num_frames} frames at once, at most {MAX_FRAMES}")
    for name, value in conditions.items():
        if np.shape(value)[:1] != (batch,):
            raise ValueError(
                f"condition {name!r} must have a row for each of {batch} contexts, got"
                f" {np.shape(value)}"
            )
    if not jax.dtypes.issubdtype(getattr(keys, "dtype", None), jax.dtypes.prng_key):
        raise ValueError("keys must be made by jax.random.key, one per context")
    if keys.shape != (batch,):
        raise ValueError(f"keys must be [B={batch}], got {keys.shape}")
    lengths = np.full(batch, num_frames) if lengths is None else np.asarray(lengths)
    if lengths.shape != (batch,) or lengths.min() < 1 or lengths.max() > num_frames:
        raise ValueError(
            f"lengths must be [B={batch}] within 1..{num_frames}, got"
            f" {lengths.tolist()}"
        )
    check_kept(kept, shape)
    return lengths.astype(np.int32)


def check_kept(kept: Kept | None, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless kept codes and their mask have the given shape."""
    if kept is not None and not np.shape(kept.codes) == np.shape(kept.is_kept) == shape:
        raise ValueError(
            f"kept codes and mask must be {shape}, got {np.shape(kept.codes)} and"
            f" {np.shape(kept.is_kept)}"
        )


class CompileClock:
    """Wall time of the calls during which XLA compiled or read its cache."""

    def __init__(self):
        self.seconds = 0.0
        self._has_compiled = False

    def _on_event(self, event: str, duration: float, **_: Any) -> None:
        self._has_compiled |= event == COMPILED

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Subscribe to the events of jax.monitoring."""
        jax.monitoring.register_event_duration_secs_listener(self._on_event)
        try:
            yield
        finally:
            jax.monitoring.unregister_event_duration_listener(self._on_event)

    def call(self, program: Callable, *args: Any) -> Any:
        """Call a jitted program; only compilation blocks, the program itself is
        asynchronous."""
        self._has_compiled = False
        started = time.perf_counter()
        result = program(*args)
        if self._has_compiled:
            self.seconds += time.perf_counter() - started
        return result


class StepReporter:
    """Reports finished steps to a `ProgressCallback`.

    It waits for a program only after the next one is dispatched, so the device is never
    idle."""

    def __init__(self, report: ProgressCallback | None, total: int):
        self._report = report
        self._total = total
        self._running: tuple[Any, int] | None = None

    def dispatched(self, output: Any, done: int) -> None:
        """Record a dispatched program: `done` steps are finished once `output` is."""
        if self._report is not None:
            self.wait()
            self._running = (output, done)

    def wait(self) -> None:
        """Wait for the last dispatched program and report it."""
        if self._report is not None and self._running is not None:
            output, done = self._running
            jax.block_until_ready(output)
            self._report(done, self._total)

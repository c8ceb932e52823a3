"""What the host does around a decoding: check, measure compiling, show progress."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from stemjax.arrays.sampling import MAX_FRAMES
from stemjax.decode.network import Network

COMPILED = "/jax/core/compile/backend_compile_duration"  # jax.monitoring's name


def check_inputs(
    network: Network,
    context_codes: jax.Array,
    conditions: dict[str, jax.Array],
    keys: jax.Array,
    lengths: Sequence[int] | np.ndarray | None,
    given_codes: jax.Array | None,
    is_given: jax.Array | None,
) -> np.ndarray:
    """The true lengths [B] int32 of a batch whose shapes fit each other.

    Raises:
      ValueError: naming the argument and the shapes.
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
    if (given_codes is None) != (is_given is None):
        raise ValueError("given_codes and is_given come together")
    if (
        is_given is not None
        and not np.shape(given_codes) == np.shape(is_given) == shape
    ):
        raise ValueError(
            f"given_codes and is_given must be {shape}, got {np.shape(given_codes)} and"
            f" {np.shape(is_given)}"
        )
    return lengths.astype(np.int32)


class CompileClock:
    """Wall time of the calls during which XLA compiled (or read its cache)."""

    def __init__(self):
        self.seconds = 0.0
        self._has_compiled = False

    def _listen(self, event: str, duration: float, **_: Any) -> None:
        self._has_compiled |= event == COMPILED

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        try:
            yield
        finally:
            jax.monitoring.unregister_event_duration_listener(self._listen)

    def call(self, program: Callable, *args: Any) -> Any:
        """Call a jitted program; programs run asynchronously, compiling does not."""
        self._has_compiled = False
        started = time.perf_counter()
        result = program(*args)
        if self._has_compiled:
            self.seconds += time.perf_counter() - started
        return result


class Progress:
    """Reports steps when they are done, one program behind what was dispatched, so
    that the device always has the next program at hand."""

    def __init__(self, report: Callable[[int, int], None] | None, total: int):
        self._report = report
        self._total = total
        self._running: tuple[Any, int] | None = None

    def dispatched(self, output: Any, done: int) -> None:
        """A program was dispatched; when `output` is ready, `done` steps are."""
        if self._report is not None:
            self.wait()
            self._running = (output, done)

    def wait(self) -> None:
        """Wait for the program dispatched last and report it."""
        if self._report is not None and self._running is not None:
            output, done = self._running
            jax.block_until_ready(output)
            self._report(done, self._total)

"""Prefetching: a thread makes batches and moves them to the devices during a step."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

_END = object()


class Prefetch:
    """Iterator over `move(batch)` for the batches of `source`, up to `depth` ahead.

    `waited` counts the seconds that the consumer has waited for data.  An exception in
    the source is raised in place of its batch.
    """

    def __init__(
        self, source: Iterator[Any], move: Callable[[Any], Any], *, depth: int = 2
    ):
        self.waited = 0.0
        self._queue: queue.Queue = queue.Queue(maxsize=depth)
        self._is_closed = threading.Event()
        self._thread = threading.Thread(
            target=self._fill, args=(source, move), daemon=True, name="prefetch"
        )
        self._thread.start()

    def _fill(self, source, move) -> None:
        try:
            for batch in source:
                if not self._put((move(batch), None)):
                    return
            self._put((_END, None))
        except BaseException as error:  # noqa: BLE001  (raised in the consumer)
            self._put((_END, error))
        finally:
            if hasattr(source, "close"):
                source.close()  # ends the threads of a generator

    def _put(self, item) -> bool:
        while not self._is_closed.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> "Prefetch":
        return self

    def __next__(self) -> Any:
        started = time.perf_counter()
        batch, error = self._queue.get()
        self.waited += time.perf_counter() - started
        if batch is _END:
            self._queue.put((_END, error))  # for the next call
            if error is not None:
                raise error
            raise StopIteration
        return batch

    def close(self) -> None:
        """Stop the thread."""
        self._is_closed.set()
        self._thread.join(timeout=10)

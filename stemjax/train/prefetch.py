"""Batches made and moved to the devices in a thread, while the devices compute."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

_END = object()


class Prefetch:
    """Iterate over `source` through `move`, up to `depth` batches ahead.

    `waited` is how many seconds the consumer has waited so far: data is too slow when
    it grows.  An exception in the source is raised where the batch would have come.
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
        except BaseException as error:  # noqa: BLE001  (raised again in the consumer)
            self._put((_END, error))
        finally:
            if hasattr(source, "close"):
                source.close()  # a generator's own threads end with it

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
            self._queue.put((_END, error))  # asked again, it ends again
            if error is not None:
                raise error
            raise StopIteration
        return batch

    def close(self) -> None:
        """Stop the thread; called when the loop ends for whatever reason."""
        self._is_closed.set()
        self._thread.join(timeout=10)

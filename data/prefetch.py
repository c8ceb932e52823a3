"""Batches made ahead of time by a few threads, handed out in order."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterator
from typing import Any

THREADS = 2
AHEAD = 4


def in_threads(make: Callable[[int], Any], start: int) -> Iterator[Any]:
    """make(start), make(start + 1), ... for ever; an error surfaces at its place."""
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        waiting = collections.deque(pool.submit(make, start + n) for n in range(AHEAD))
        step = start + AHEAD
        try:
            while True:
                done = waiting.popleft().result()
                waiting.append(pool.submit(make, step))
                step += 1
                yield done
        finally:
            for future in waiting:
                future.cancel()

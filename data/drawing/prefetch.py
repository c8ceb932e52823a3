"""Work done ahead of time by a few threads, in order."""

import collections
import concurrent.futures
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

THREADS = min(6, max(2, (os.cpu_count() or 2) // 2))
"""More threads would wait for one another."""
AHEAD = THREADS + 2
"""Results that are computed ahead."""


def in_threads(make: Callable[[Any], Any], numbers: Iterable[Any]) -> Iterator[Any]:
    """Yield make(n) for each n of `numbers`, which may be endless, in order.

    An error is raised in the place of its result.
    """
    numbers = iter(numbers)
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        waiting = collections.deque(
            pool.submit(make, n) for n in itertools.islice(numbers, AHEAD)
        )
        try:
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(
                    pool.submit(make, n) for n in itertools.islice(numbers, 1)
                )
                yield done
        finally:
            for future in waiting:
                future.cancel()

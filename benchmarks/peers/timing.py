"""Times of several programs taken turn by turn in one run, and ratios of their medians.

Turn by turn, because a shared machine's speed drifts: what is compared then drifts
together.
"""

import contextlib
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping


def interleaved(
    programs: Mapping[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Seconds of every call: A B A B ...  Each program waits for its own result."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(repeats):
        for name, program in programs.items():
            started = time.perf_counter()
            program()
            times[name].append(time.perf_counter() - started)
    return times


def in_milliseconds(seconds: list[float], calls: int = 1) -> dict[str, float]:
    """Median, least and most of the times of programs that do `calls` things each."""
    each = [1e3 * s / calls for s in seconds]
    figures = {"median": statistics.median(each), "min": min(each), "max": max(each)}
    return {name: round(figure, 3) for name, figure in figures.items()}


def speed_over(ours: list[float], theirs: list[float]) -> float:
    """How many times as fast ours is: the ratio of the medians."""
    return round(statistics.median(theirs) / statistics.median(ours), 3)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the main thread once the block has taken too long."""

    def stop(signum, frame):
        raise TimeoutError(f"took over {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def reason(error: BaseException, width: int = 300) -> str:
    """An error as one short line, for a table's cell."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:width]


def compare(
    programs: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    calls: int = 1,
    warm: int = 0,
    first_seconds: float = 240.0,
) -> dict[str, object]:
    """Times of "ours" and its peers turn by turn, and the ratios of their medians.

    calls: what one program does so many times: figures are ms for each.
    warm: turns after the first that are not counted.
    first_seconds: a peer whose first call, which compiles, takes longer or fails (no C++
      compiler, no memory) is left out, with the reason as its value.
    """
    programs, result = dict(programs), {}
    for name in list(programs):
        started = time.perf_counter()
        try:
            with time_limit(first_seconds):
                programs[name]()
        except Exception as error:
            if name == "ours":
                raise
            result[name] = reason(error)
            del programs[name]
        else:
            taken = time.perf_counter() - started
            result[f"{name}_first_seconds"] = round(taken, 1)
    interleaved(programs, warm)
    times = interleaved(programs, repeats)
    for name, seconds in times.items():
        result[f"{name}_ms"] = in_milliseconds(seconds, calls)
        if name != "ours":
            result[f"ours_over_{name}"] = speed_over(times["ours"], seconds)
    return result

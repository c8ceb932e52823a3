"""How far a part of the evaluation has come."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with (what, clips done, of how many)."""


def advance(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    """A function of the number of clips that came, which reports their sum."""
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        progress(what, done, total)

    return report

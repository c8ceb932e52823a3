"""Progress of a stage of the evaluation."""

from collections.abc import Callable

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, clips done, clips in all)."""


def advance(progress: StageProgress, what: str, total: int) -> Callable[[int], None]:
    """Return a function that adds up numbers of finished clips and reports the sum."""
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        progress(what, done, total)

    return report

"""Progress bars of `evaluate.py` on stderr."""

import sys


class ProgressBar:
    """Shows one bar at a time, named after the current part of the work.

    Called with (what, units done, total); a total of 0 means unknown.
    """

    def __init__(self, *, unit: str = "clip", delay: float = 0.0):
        """Create a bar.

        Args:
          unit: what is counted.
          delay: seconds before a bar appears, so that bad input prints its error alone.
        """
        self._unit, self._delay = unit, delay
        self._what, self._bar = "", None

    def __call__(self, what: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if what != self._what:
            self.close()
            self._what = what
            self._bar = tqdm(
                desc=what,
                total=total or None,
                unit=self._unit,
                file=sys.stderr,
                delay=self._delay,
            )
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
        self._what, self._bar = "", None

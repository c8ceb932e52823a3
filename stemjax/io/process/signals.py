"""SIGINT and SIGTERM: a process ends at once with one line, or after its work is saved.

Python calls signal handlers in the main thread between two bytecodes: a compilation holds
them up for minutes, and an exception there may come in the middle of anything.  Here a
thread of its own learns of each signal at once, and no exception is raised.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Collection
from typing import Self

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
CONTINUES = "run the same command again to continue"


class EndSignals:
    """SIGINT and SIGTERM of this process, from `start` on or inside a `with`.

    The first one ends the process: with the status 130 or 143 and one line on stderr.
    After `defer()` it only sets `received`, and the second one ends the process.
    Outside the main thread, which alone may install handlers, nothing is watched.

    Args:
      advice: what the line says after "interrupted: "; "": nothing.
      numbers: the signals to watch.
    """

    def __init__(self, advice: str = "", numbers: Collection[int] = tuple(WORDS)):
        self.received: signal.Signals | None = None
        """The first signal."""
        self._advice = advice
        self._numbers = numbers
        self._is_deferred = False
        self._undo = contextlib.ExitStack()

    def start(self) -> Self:
        """Watch the signals until the process ends, or until `stop`."""
        if threading.current_thread() is not threading.main_thread():
            return self
        read, write = os.pipe()
        os.set_blocking(write, False)
        for number in self._numbers:
            before = signal.signal(number, _leave_to_watcher)
            self._undo.callback(signal.signal, number, before)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self._undo.callback(os.close, write)  # ends the thread, which closes the other
        self._undo.callback(signal.set_wakeup_fd, before, warn_on_full_buffer=False)
        watcher = threading.Thread(target=self._watch, args=(read,), daemon=True)
        watcher.start()
        return self

    def stop(self) -> None:
        """Bring back what was there before `start`."""
        self._undo.close()

    def defer(self) -> None:
        """From here on the first signal only sets `received`."""
        self._is_deferred = True

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error) -> None:
        self.stop()

    def _watch(self, read: int) -> None:
        while numbers := os.read(read, 1):
            if signal.getsignal(numbers[0]) is not _leave_to_watcher:
                continue  # a command's own
            if self._is_deferred and self.received is None:
                self.received = signal.Signals(numbers[0])
            else:
                self._end(signal.Signals(numbers[0]))
        os.close(read)

    def _end(self, number: signal.Signals) -> None:
        """End without a word from the other threads, whatever they do."""
        text = ": ".join(filter(None, [WORDS[number], self._advice]))
        with contextlib.suppress(OSError):
            os.write(2, f"{text}\n".encode())
        os._exit(128 + number)


def _leave_to_watcher(number: int, frame: object) -> None:
    """Handle a signal: Python only has to write it to the pipe."""

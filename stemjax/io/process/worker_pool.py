"""Worker processes that end with the process that started them."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor


@contextlib.contextmanager
def worker_pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `count` processes; an error in the `with` drops the jobs not yet begun.

    Workers do not hear Ctrl-C.  They end when this process is gone, however it ended:
    left behind, they would write beside a restarted command.
    """
    # spawned, not forked: the parent may hold threads of readers or of jax
    context = multiprocessing.get_context("spawn")
    with _quiet_tracker():
        pool = ProcessPoolExecutor(count, context, _end_with_parent)
    with pool:
        with _blocked_interrupts():  # the mask of signals is inherited
            for _ in range(count):  # each job starts a process while none is idle
                pool.submit(os.getpid)
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextlib.contextmanager
def _quiet_tracker() -> Iterator[None]:
    """Let the process that counts semaphores, which starts now, print no warning.

    It would where this process is killed.
    """
    name = "PYTHONWARNINGS"
    before = os.environ.get(name)
    os.environ[name] = "ignore:resource_tracker"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@contextlib.contextmanager
def _blocked_interrupts() -> Iterator[None]:
    if os.name != "posix":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

"""The C allocator's settings that suit XLA on a CPU."""

import ctypes
import sys

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
TOP_PAD = 256 * 2**20  # bytes by which the heap grows


def keep_memory() -> bool:
    """Make glibc keep freed memory instead of returning it to the kernel.

    XLA on a CPU allocates its temporary buffers anew for every step; by default glibc
    maps and unmaps them each time, and half of a codec's training step went into the
    kernel's page faults (docs/performance.md).  Call it before jax is imported.

    Returns:
      Whether there was a glibc that took the settings.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # musl and others
    settings = (
        (M_MMAP_MAX, 0),
        (M_TRIM_THRESHOLD, -1),
        (M_TOP_PAD, TOP_PAD),
        (M_ARENA_MAX, 1),  # the arenas of threads are unmapped whatever the threshold
    )
    return all([mallopt(name, value) for name, value in settings])

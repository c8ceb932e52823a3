"""Settings of the C allocator that suit XLA on a CPU."""

import ctypes
import sys

# from malloc.h of glibc
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
TOP_PAD = 256 * 2**20
"""Bytes by which the heap grows."""


def keep_memory() -> bool:
    """Make glibc keep freed memory instead of returning it to the kernel.

    XLA on a CPU allocates its temporary buffers again in every step.  By default glibc
    maps and unmaps them each time, and page faults took half of a codec's training step
    (docs/performance.md).  Call it before jax is imported.

    Returns:
      Whether glibc accepted the settings.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # not glibc
    settings = (
        (M_MMAP_MAX, 0),
        (M_TRIM_THRESHOLD, -1),
        (M_TOP_PAD, TOP_PAD),
        (M_ARENA_MAX, 1),  # arenas of threads ignore the threshold
    )
    return all([mallopt(name, value) for name, value in settings])

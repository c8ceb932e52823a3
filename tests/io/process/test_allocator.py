"""The allocator's settings, seen in the page faults of a fresh process."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from stemjax.io.process.allocator import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
import numpy as np
def work():
    for _ in range(10):
        np.ones(16_000_000, np.float32)  # 64 MB: glibc always maps beyond 32
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    run = [sys.executable, "-c", PROGRAM, mode]
    return int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_freed_memory_is_used_again_without_page_faults():
    assert faults("keep") < 0.02 * faults("default")

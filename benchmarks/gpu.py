"""The accelerator's rows of docs/performance.md: one command, one JSON line as soon as
something is measured, under 10 minutes on one H100 or H200.

`python benchmarks/gpu.py [--rows NAME ...] [--no-compile] [--tiny] [--here]`.  Needs
jax, flax, optax, orbax, numpy and torch, and of stemjax what imports no more.  Every
row runs in a process of its own with a share of the time left (--here: in this one), so
a row that fails, hangs or runs out of memory says so and the others stand.  Sizes are
the paper's: 1024/16/20, 2048 codes, 4 levels, 1000 frames, bfloat16.  A later line of a
row adds to the earlier one.  --tiny only shows that the script runs.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

BUDGET_SECONDS = 590.0
ROW_SECONDS = {  # at most; in the order of what matters most
    "ceiling": 60.0,
    "decode_1": 130.0,
    "train": 170.0,
    "decode_32": 150.0,
    "startup": 120.0,
    "audio_codec_seanet": 90.0,
    "audio_encodec_32k": 90.0,
}


def say(row: str, **figures: object) -> None:
    print(json.dumps({"row": row} | figures), flush=True)


def run_here(row: str, *, is_tiny: bool, is_compiled: bool) -> None:
    """Measure a row in this process and print its lines, or its error as its value."""
    from benchmarks.peers.timing import reason

    try:
        from benchmarks.peers import gpu_rows

        size = gpu_rows.TINY if is_tiny else gpu_rows.PAPER
        for figures in gpu_rows.ROWS[row](size, is_compiled):
            say(row, **figures)
    except Exception as error:
        say(row, error=reason(error))


def run_apart(row: str, arguments: list[str], limit: float) -> None:
    """Measure a row in a process of its own, which prints its own lines."""
    own = [sys.executable, __file__, "--rows", row, "--here", *arguments]
    try:
        code = subprocess.run(own, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        say(row, error=f"stopped after {limit:.0f} s")
    else:
        if code:
            say(row, error=f"ended with code {code}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROW_SECONDS, default=ROW_SECONDS)
    parser.add_argument("--no-compile", action="store_true", help="no torch.compile")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--here", action="store_true")
    given = parser.parse_args()
    # torch needs memory beside jax
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    arguments = ["--tiny"] * given.tiny + ["--no-compile"] * given.no_compile
    end = time.monotonic() + BUDGET_SECONDS
    for row in given.rows:
        left = end - time.monotonic()
        if given.here:
            run_here(row, is_tiny=given.tiny, is_compiled=not given.no_compile)
        elif left < 5:
            say(row, error="no time left")
        else:
            run_apart(row, arguments, min(left, ROW_SECONDS[row]))


if __name__ == "__main__":
    main()

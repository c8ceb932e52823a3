"""Rows of docs/performance.md for an accelerator, as JSON lines.

`python benchmarks/gpu.py [--rows NAME ...] [--no-compile] [--tiny] [--here]`, under 10
minutes on one H100 or H200.  Needs jax, flax, optax, orbax, numpy and torch alone.  Every
row runs in a separate process with a time limit (--here: in this process): a row that
fails, hangs or runs out of memory prints an error, and the others go on.  Sizes are the
paper's: 1024/16/20, 2048 codes, 4 levels, 1000 frames, bfloat16.  A row may print several
lines; together they are its figures.  --tiny only shows that the script runs.
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
ROW_SECONDS = {  # limit of each row, the most important row first
    "ceiling": 60.0,
    "decode_1": 130.0,
    "train": 170.0,
    "decode_32": 150.0,
    "startup": 120.0,
    "audio_codec_seanet": 90.0,
    "audio_encodec_32k": 90.0,
}


def print_row(row: str, **figures: object) -> None:
    """Print figures of a row as a JSON line."""
    print(json.dumps({"row": row} | figures), flush=True)


def run_here(row: str, *, is_tiny: bool, is_compiled: bool) -> None:
    """Measure a row in this process and print its figures or its error."""
    from benchmarks.peers.timing import reason

    try:
        from benchmarks.peers import gpu_rows

        size = gpu_rows.TINY if is_tiny else gpu_rows.PAPER
        for figures in gpu_rows.ROWS[row](size, is_compiled):
            print_row(row, **figures)
    except Exception as error:
        print_row(row, error=reason(error))


def run_apart(row: str, flags: list[str], limit: float) -> None:
    """Measure a row in a separate process, which prints its figures."""
    command = [sys.executable, __file__, "--rows", row, "--here", *flags]
    try:
        code = subprocess.run(command, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        print_row(row, error=f"stopped after {limit:.0f} s")
    else:
        if code:
            print_row(row, error=f"ended with code {code}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROW_SECONDS, default=ROW_SECONDS)
    parser.add_argument("--no-compile", action="store_true", help="no torch.compile")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--here", action="store_true")
    arguments = parser.parse_args()
    # torch needs memory beside jax
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    flags = ["--tiny"] * arguments.tiny + ["--no-compile"] * arguments.no_compile
    end = time.monotonic() + BUDGET_SECONDS
    for row in arguments.rows:
        left = end - time.monotonic()
        if arguments.here:
            run_here(row, is_tiny=arguments.tiny, is_compiled=not arguments.no_compile)
        elif left < 5:
            print_row(row, error="no time left")
        else:
            run_apart(row, flags, min(left, ROW_SECONDS[row]))


if __name__ == "__main__":
    main()

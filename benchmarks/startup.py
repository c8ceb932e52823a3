"""Seconds from the start of `train.py stemgen-mini` to its first finished step, one
JSON line: with an empty compile cache, then with the programs that the first start left.

`python benchmarks/startup.py [--starts 2]`.  Batches come from a small store of random
codes; each start has a new workdir and is ended after its first logged step.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.peers.made_store import write_random_store
from stemjax import codec
from stemjax.config.presets import CODEC_MINI, STEMGEN_MINI

POLL_SECONDS = 0.05
LIMIT_SECONDS = 600.0


def command(store: Path, workdir: Path) -> list[str]:
    """A training that logs every step."""
    return [
        *(sys.executable, str(ROOT / "train.py"), "stemgen-mini"),
        *("--data", str(store), "--workdir", str(workdir), "--loop.log-every", "1"),
    ]


def has_step(workdir: Path) -> bool:
    """Whether a finished step stands in the workdir's metrics."""
    for path in workdir.glob("metrics*.jsonl"):
        if any('"loss"' in line for line in path.read_text().splitlines()):
            return True
    return False


def seconds_to_first_step(store: Path, workdir: Path, cache: Path) -> float:
    """From starting the process until its first step is logged.

    Raises:
      RuntimeError: it ended before, or took too long; with its last words.
    """
    log = workdir.with_suffix(".log")
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    started = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            command(store, workdir),
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
        try:
            while not has_step(workdir):
                waited = time.perf_counter() - started
                if process.poll() is not None or waited > LIMIT_SECONDS:
                    raise RuntimeError(f"no step after {waited:.0f} s: {last_of(log)}")
                time.sleep(POLL_SECONDS)
            return time.perf_counter() - started
        finally:
            process.kill()
            process.wait()


def last_of(log: Path) -> str:
    return " ".join(log.read_text(errors="replace").splitlines()[-3:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=3, help="the first one is cold")
    starts = parser.parse_args().starts
    mini = codec.load("codec-mini")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_random_store(
            folder / "store",
            name=mini.name,
            sha256=mini.sha256,
            hop=CODEC_MINI.model.hop,
            num_codebooks=CODEC_MINI.model.num_codebooks,
            codebook_size=CODEC_MINI.model.codebook_size,
            segments=16,
            validation=2,
        )
        seconds = [
            seconds_to_first_step(
                folder / "store", folder / f"run-{start}", folder / "cache"
            )
            for start in range(starts)
        ]
    result = {
        "benchmark": "startup",
        "batch": STEMGEN_MINI.batch_size,
        "cold_seconds": round(seconds[0], 2),
        "warm_seconds": [round(s, 2) for s in seconds[1:]],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

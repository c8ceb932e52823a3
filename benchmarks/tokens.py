"""Speed of the token reader, one JSON line: batches of 40 pairs of 1000 frames a minute.

`python benchmarks/tokens.py [STORE] [--batches 60] [--batch 40] [--loader numpy|tf]`.
Without a store, random codes of 256 minutes (98 MB) are written into a temporary one.
The paper's step of 0.16 s on a large GPU eats 375 batches a minute.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.peers.made_store import write_random_store
from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig
from stemjax.data.spec import open_data
from stemjax.data.tokens.store import token_batches

PARTS = 5  # the median of as many parts of the run


def measure(spec: str, batch: int, batches: int, loader: Loader) -> dict[str, float]:
    """Batches a minute, after a warm-up batch; the median and the slowest part."""
    opened = open_data(spec)
    made = token_batches(
        opened.data,
        PairConfig(),
        split="train",
        batch_size=batch,
        seed=0,
        loader=loader,
    )
    first = next(made)
    rates = []
    cpu_started = time.process_time()
    for _ in range(PARTS):
        started = time.perf_counter()
        for _ in range(batches // PARTS):
            next(made)
        rates.append(60 * (batches // PARTS) / (time.perf_counter() - started))
    cpu = (time.process_time() - cpu_started) / (PARTS * (batches // PARTS))
    return {
        "batches_per_minute": round(statistics.median(rates), 1),
        "slowest": round(min(rates), 1),
        "cpu_ms_per_batch": round(1e3 * cpu, 2),
        "frames": first["target_codes"].shape[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?", help="a token store")
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--loader", choices=[x.value for x in Loader], default="numpy")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spec = arguments.store
        if not spec:
            spec = str(Path(folder) / "store")
            write_random_store(Path(spec), name="random", sha256="")
        loader = Loader(arguments.loader)
        figures = measure(spec, arguments.batch, arguments.batches, loader)
    result = {"benchmark": "tokens", "batch": arguments.batch} | figures
    print(json.dumps(result | {"loader": loader.value}))


if __name__ == "__main__":
    main()

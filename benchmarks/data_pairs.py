"""Speed of the data, one JSON line: pairs of 20 s per second from a prepared folder.

`python benchmarks/data_pairs.py [FOLDER] [--loader numpy|tf] [--batches N]`.  Without a
folder, four synthetic minutes of eight stems are prepared into a temporary one.  Two
threads read and mix; the paper's own training used 17.4 pairs/s (150k steps of 40 pairs
in 4 days on one A100).  `cpu_ms_per_pair` counts all threads: 1000 over it is what one
core gives when nothing else runs.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig
from stemjax.data.drawing.pairs import pair_batches
from stemjax.data.prepare import Layout, PrepareArgs, prepare
from stemjax.data.prepared.records import Prepared, open_prepared
from stemjax.data.prepared.segments import SAMPLE_RATE
from stemjax.data.prepared.synthetic import song

SONGS, SECONDS = 4, 60
PAPER_PAIRS_PER_SECOND = 17.4
BATCH = 4


def prepared_synthetic(folder: Path) -> Prepared:
    """Write songs of eight stems (two synthetic songs each) and prepare them."""
    import soundfile

    for number in range(SONGS):
        out = folder / "songs" / "train" / f"song-{number}"
        out.mkdir(parents=True)
        for half in range(2):
            stems, categories = song(0, 2 * number + half, SECONDS * SAMPLE_RATE)
            for stem, category in zip(stems, categories, strict=True):
                path = out / f"{CATEGORIES[category]}_{half}.wav"
                soundfile.write(path, stem, SAMPLE_RATE, subtype="PCM_16")
    made = folder / "prepared"
    prepare(
        PrepareArgs(input=folder / "songs", out=made, layout=Layout.FOLDER, workers=1)
    )
    return open_prepared(made)


def measure(source: Prepared, loader: Loader, batches: int) -> dict[str, float | str]:
    """Time `batches` batches after one warm-up."""
    pairs = PairConfig()
    made = pair_batches(
        source, pairs, split="train", batch_size=BATCH, seed=0, loader=loader
    )
    next(made)
    started, cpu_started = time.perf_counter(), time.process_time()
    for _ in range(batches):
        next(made)
    seconds = time.perf_counter() - started
    cpu_seconds = time.process_time() - cpu_started
    table = source.index("train")
    return {
        "benchmark": "data_pairs",
        "loader": loader.value,
        "pairs_per_second": round(batches * BATCH / seconds, 2),
        "cpu_ms_per_pair": round(1000 * cpu_seconds / (batches * BATCH), 2),
        "paper_pairs_per_second": PAPER_PAIRS_PER_SECOND,
        "crop_seconds": pairs.crop_seconds,
        "stems_per_segment": float(np.mean(np.diff(table.stem_offset))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="a prepared folder")
    parser.add_argument("--loader", choices=[x.value for x in Loader], default="numpy")
    parser.add_argument("--batches", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.folder:
            source = open_prepared(arguments.folder)
        else:
            source = prepared_synthetic(Path(folder))
        result = measure(source, Loader(arguments.loader), arguments.batches)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

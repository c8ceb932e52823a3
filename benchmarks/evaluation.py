"""Speed of evaluation by its parts, one JSON line: seconds per 20 s clip.

`python benchmarks/evaluation.py [--clips N]`.  Audio in memory, after compiling: the
analysis of mixes that MIRDD needs, FD-logmel's vectors, and VGGish with random weights
(its cost does not depend on them) for 20 patches (`gudgud`) and 39 (`google`).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import numpy as np

from stemjax.eval import embeddings, vggish
from stemjax.eval.descriptors.extract import analyse_music
from stemjax.eval.mixes import BATCH
from stemjax.eval.synthetic import make_clip
from stemjax.eval.vggish_input import GOOGLE, GUDGUD, patches
from stemjax.io.allocator import keep_memory


def seconds_per_clip(run: Callable[[], object], clips: int) -> float:
    """Time of a compiled run over its clips."""
    run()
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) / clips


def main() -> None:
    keep_memory()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=24, help="a multiple of 8")
    count = parser.parse_args().clips
    mixes = np.stack([make_clip(0, k).mix for k in range(count)])
    batches = mixes.reshape(-1, BATCH, mixes.shape[1])
    log_mel = embeddings.log_mel(GOOGLE)
    params = jax.device_put(vggish.random_params(0))

    def net(preset):
        for mix in mixes[:4]:
            vggish.embed_in_batches(params, patches(mix, preset))

    result = {
        "benchmark": "evaluation",
        "device": jax.devices()[0].device_kind,
        "clip_seconds": 20.0,
        "mirdd": seconds_per_clip(lambda: list(map(analyse_music, batches)), count),
        "fd_logmel": seconds_per_clip(lambda: list(map(log_mel.embed, mixes)), count),
        "vggish_gudgud": seconds_per_clip(lambda: net(GUDGUD), 4),
        "vggish_google": seconds_per_clip(lambda: net(GOOGLE), 4),
    }
    print(
        json.dumps(
            {k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}
        )
    )


if __name__ == "__main__":
    main()

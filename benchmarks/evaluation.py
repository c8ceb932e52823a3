"""Speed of evaluation by its parts, one JSON line: seconds per 20 s clip.

`python benchmarks/evaluation.py [--clips N]`.  Audio in memory, after compiling: the
analysis of mixes that MIRDD needs, FD-logmel's vectors, beats and chroma of one clip
alone, and VGGish with random weights (its cost does not depend on them) for 20 patches
(`gudgud`) and 39 (`google`); beside them, reading a clip of 32 kHz FLAC at 16 kHz.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import numpy as np
import soundfile
import soxr

from stemjax.analysis.audio import RATE
from stemjax.analysis.extract import analyse_music
from stemjax.eval.metrics import alignment, embeddings
from stemjax.eval.metrics.mixes import BATCH
from stemjax.eval.metrics.vggish import network as vggish
from stemjax.eval.metrics.vggish.features import GOOGLE, GUDGUD, patches
from stemjax.eval.populations import clips
from stemjax.eval.selftest.synthetic import make_clip
from stemjax.io.process.allocator import keep_memory


def seconds_per_clip(run: Callable[[], object], clips: int) -> float:
    """Time of a compiled run over its clips."""
    run()
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) / clips


def loading(mixes: np.ndarray) -> float:
    """Seconds to read a clip of 32 kHz FLAC at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        examples = written(mixes, Path(folder))
        return seconds_per_clip(
            lambda: [clips.load(example, "real") for example in examples], len(mixes)
        )


def written(mixes: np.ndarray, folder: Path) -> list[clips.Example]:
    """The mixes as files, probed."""
    examples = []
    for k, mix in enumerate(mixes):
        path = folder / f"{k}.flac"
        soundfile.write(path, soxr.resample(mix, RATE, 32_000), 32_000)
        examples.append(clips.probe(clips.Triple(str(k), path, path, None)))
    return examples


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
        "load": loading(mixes[:8]),
        "beats_and_chroma": seconds_per_clip(
            lambda: list(map(alignment.beats_and_chroma, batches)), count
        ),
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

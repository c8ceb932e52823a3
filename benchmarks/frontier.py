"""Seconds a stem against context gain, for settings of steps and guidance, one JSON
line.

`python benchmarks/frontier.py [FOLDER] [--model stemgen-mini] [--pairs 8]
[--seconds 5]`.  FOLDER is a prepared folder, whose validation split is read; without
one, synthetic songs are made in memory.  Only warm decoding is timed, all pairs as one
batch; the codec is not in it.  Context gain is in nats a token
(stemjax/eval/stem_gain.py), the model its own judge; a setting is on the frontier when
none is as fast and better, or as good and faster.
`evaluate.py tune` finds the settings of a model with more measures.
"""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stemjax.io.allocator import keep_memory

keep_memory()

import jax
import numpy as np

import stemjax
from data.pairs import eval_batches
from data.spec import open_audio
from data.synthetic import SyntheticSet
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import BEST, DecodeConfig, Guidance
from stemjax.config.train import PairConfig
from stemjax.decode.iterate import decode
from stemjax.eval.frontier import pareto
from stemjax.eval.stem_gain import stem_gain

STEPS = ((4, 2, 1, 1), (8, 4, 2, 2), (16, 8, 4, 4))
REPEATS = 2  # the first one compiles


class Pair(NamedTuple):
    """What `stem_gain` asks of an example."""

    id: str
    song: str
    category: str
    seed: int


class Examples(NamedTuple):
    pairs: list[Pair]
    contexts: np.ndarray  # [P, N] float32
    instruments: np.ndarray  # [P] int32


def examples(source, count: int, seconds: float) -> Examples:
    """The first pairs of the validation split."""
    batches = eval_batches(
        source,
        PairConfig(crop_seconds=seconds),
        split="validation",
        count=count,
        batch_size=count,
        seed=0,
    )
    batch = next(iter(batches))
    pairs = [
        Pair(str(k), str(batch["song"][k]), CATEGORIES[batch["instrument"][k]], k)
        for k in range(count)
    ]
    audio = batch["context"].astype(np.float32) / 32_768
    return Examples(pairs, audio, batch["instrument"])


def settings() -> dict[str, DecodeConfig]:
    """Every number of steps, without guidance, with one scale and with two."""
    return {
        f"{sum(steps)} steps, {guidance.value}": dataclasses.replace(
            BEST, steps=steps, guidance=guidance
        )
        for steps in STEPS
        for guidance in Guidance
    }


def measure(model, given: Examples, grid: dict[str, DecodeConfig]) -> list[dict]:
    """A row for every setting, in the order of the grid."""
    contexts = np.asarray(model.codec.encode(given.contexts))
    keys = jax.vmap(jax.random.key)(np.arange(len(given.pairs)))
    conditions = {"instrument": given.instruments}
    rows = []
    for name, config in grid.items():
        taken = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            made = decode(
                model.params, model.config, config, contexts, conditions, keys
            )
            stems = np.asarray(made.codes)
            taken.append(time.perf_counter() - started)
        gain = stem_gain(model, given.pairs, contexts, stems)
        rows.append(
            {
                "setting": name,
                "seconds_per_stem": round(min(taken) / len(stems), 3),
                "context_gain": gain and round(gain.value, 4),
                "se": gain and round(gain.se, 4),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="a prepared folder")
    parser.add_argument("--model", default="stemgen-mini")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    if arguments.folder:
        source = open_audio(arguments.folder)
    else:
        songs = (1, arguments.pairs, 1)
        source = SyntheticSet(songs=songs, seconds=arguments.seconds + 1)
    model = stemjax.load(arguments.model)
    given = examples(source, arguments.pairs, arguments.seconds)
    rows = measure(model, given, settings())
    costs = np.array([row["seconds_per_stem"] for row in rows])
    gains = np.array([row["context_gain"] or np.nan for row in rows], float)
    result = {
        "benchmark": "frontier",
        "model": arguments.model,
        "device": jax.devices()[0].device_kind,
        "pairs": arguments.pairs,
        "stem_seconds": arguments.seconds,
        "frontier": [rows[k]["setting"] for k in pareto(costs, -gains)],
        "rows": rows,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

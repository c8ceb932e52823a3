"""A system, examples and an analysis whose answers are known, for tests of tables."""

import pathlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from stemjax import codec
from stemjax.analysis.analysis import Analyser
from stemjax.config.decode import DecodeConfig
from stemjax.config.metrics import Metric
from stemjax.config.presets import CODEC_TINY
from stemjax.eval.metrics import embeddings
from stemjax.eval.metrics.score import Settings
from stemjax.eval.metrics.vggish.features import GUDGUD
from stemjax.eval.populations.decoding_run import DecodingRun
from stemjax.eval.populations.generate import ExampleSet, Job
from tests.eval.metrics.test_score import crossings

RATE = 32_000
SECONDS = 2


class Pair(NamedTuple):
    id: str
    song: str
    category: str
    seed: int


def pairs(songs: Sequence[str], first: int = 0) -> list[Pair]:
    """A pair of each song named; `first` shifts what they sound like."""
    return [
        Pair(f"{k:05d}", song, "bass", 1_000 * first + k)
        for k, song in enumerate(songs)
    ]


def tone(hertz: float, level: float, noise_seed: int) -> np.ndarray:
    """A sine with a little noise, [N] float32 at 32 kHz."""
    time = np.arange(SECONDS * RATE) / RATE
    noise = 1e-3 * np.random.default_rng(noise_seed).normal(size=len(time))
    return (level * np.sin(2 * np.pi * hertz * time) + noise).astype(np.float32)


def pitch_of(song: str, seed: int) -> float:
    """Hz of the real stem of a song in an example."""
    return 110 * 2 ** ((sum(song.encode()) + seed // 1_000) % 12 / 12)


def audio_of(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """A context quieter and lower than the stem, whose pitches depend on the song."""
    hertz = pitch_of(pair.song, pair.seed)
    return tone(hertz / 2, 0.05, 2 * pair.seed), tone(hertz, 0.3, 2 * pair.seed + 1)


def examples(songs: Sequence[str], first: int = 0) -> ExampleSet:
    chosen = pairs(songs, first)
    return ExampleSet(chosen, "".join(f"{pair}\n" for pair in chosen), audio_of)


class Echo:
    """Answers with the context an octave higher at a level set by the temperature.

    `asked` keeps the configs of each call, one list a batch.  The codec has no weights.
    """

    def __init__(self, sha256: str = "0" * 64):
        self.name, self.version, self.sha256 = "echo", "1", sha256
        self.codec = codec.Codec(CODEC_TINY.model, {}, "tiny", "c" * 64)
        self.config = SimpleNamespace(num_sources=2)
        self.sample_rate = RATE
        self.asked: list[list[DecodeConfig]] = []

    def answer(self, contexts, categories, seeds, variations, configs):
        self.asked.append(list(configs))
        gains = [
            c.temperature / (2 + v) for c, v in zip(configs, variations, strict=True)
        ]
        return np.array(gains, np.float32)[:, None] * contexts


def decoding_run(
    folder: pathlib.Path, songs: Sequence[str], system: Echo | None = None
) -> DecodingRun:
    return DecodingRun(system or Echo(), examples(songs), folder)


def settings() -> Settings:
    """FD-logmel, and MIRDD of the dominant frequency; FAD lacks its weights."""
    return Settings(
        embeddings=(embeddings.log_mel(GUDGUD),),
        analyser=Analyser(
            "stand-in", {"v": 1}, lambda batch: [crossings(row) for row in batch]
        ),
        unavailable={Metric.FAD: "no weights; bring some"},
        drops_silent=False,
        seed=0,
    )


def files(jobs: Sequence[Job]) -> set[pathlib.Path]:
    return {job.stem for job in jobs}


def report(
    value: float,
    groups: Sequence[float],
    mirdd: float | None = None,
    sizes: Sequence[int] | None = None,
) -> dict:
    """A score made by hand: FD-logmel, MIRDD (by default alike), no FAD."""
    from stemjax.eval.metrics.jackknife import from_leave_outs

    counts = np.array(sizes or [1] * len(groups))

    def entry(name, v, leave_outs):
        estimate = from_leave_outs(v, leave_outs, counts)
        return {
            "id": name,
            "value": v,
            "se": estimate.se,
            "corrected": estimate.corrected,
            "groups": [float(g) for g in leave_outs],
            "sizes": [int(s) for s in counts],
            "status": "ok",
        }

    shift = (value if mirdd is None else mirdd) - value
    of_mirdd = entry("MIRDD[hand]", value + shift, np.array(groups) + shift)
    return {
        "format": 1,
        "n": int(counts.sum()),
        "ids": "ids",
        "references": "references",
        "contents": "contents",
        "silent": {"generated": 0, "real": 0, "dropped": 0},
        "headline": False,
        "seed": 0,
        "metrics": {
            "fd_logmel": entry("FD-logmel[hand]", value, groups),
            "mirdd": of_mirdd | {"null": {"median": 0.5, "p95": 0.9}},
            "fad": {
                "id": "FAD",
                "value": None,
                "status": "unavailable",
                "reason": "no weights; bring some",
            },
        },
    }

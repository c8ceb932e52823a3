"""From clips to the vectors whose distributions are compared, each clip once."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.codec import functional
from stemjax.codec.codec import CodecFile
from stemjax.config.metrics import TITLES, Metric
from stemjax.eval.metrics.log_mel_statistics import mean_and_std
from stemjax.eval.metrics.vggish import network as vggish
from stemjax.eval.metrics.vggish.features import SAMPLE_RATE, FadPreset, patches
from stemjax.eval.metrics.vggish.weights import VerifiedWeights
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.progress import Progress, advance
from stemjax.eval.populations.store import Row, cached, stage_folder

WINDOW_SECONDS = 0.96  # of FD-codec: a VGGish patch
VERSION = 2  # of what is cached; a change of the computation counts it up


class Embedding(NamedTuple):
    """One way from a clip to vectors."""

    metric: Metric
    details: str
    """What a value must share with another to be compared, for people."""
    rate: int
    """Of the audio that `embed` takes, Hz."""
    params: dict[str, Any]
    """JSON values on which `embed` depends."""
    embed: Callable[[np.ndarray], np.ndarray]
    """One clip [N] -> [P, D] float32."""
    finish: Callable[[np.ndarray], np.ndarray]
    """What the statistics take of it; not cached."""

    @property
    def label(self) -> str:
        """The metric's id as printed."""
        return f"{TITLES[self.metric]}[{self.details}]"


def log_mel(preset: FadPreset) -> Embedding:
    """FD-logmel: mean and deviation of VGGish's log-mel bands, per patch [P, 128]."""
    embed = jax.jit(lambda audio: mean_and_std(patches(audio, preset)))
    return Embedding(
        metric=Metric.FD_LOGMEL,
        details=f"preset={preset.name}",
        rate=SAMPLE_RATE,
        params=_windows(preset) | {"version": VERSION},
        embed=lambda audio: np.asarray(embed(audio)),
        finish=lambda vectors: vectors,
    )


def vggish_embedding(weights: VerifiedWeights, preset: FadPreset) -> Embedding:
    """FAD: VGGish's embeddings before the last ReLU, which presets share, [P, 128]."""
    return Embedding(
        metric=Metric.FAD,
        details=f"vggish;preset={preset.name};w=sha256:{weights.sha256[:8]}",
        rate=SAMPLE_RATE,
        params=_windows(preset) | {"weights": weights.sha256, "version": VERSION},
        embed=lambda audio: vggish.embed_in_batches(
            weights.params, patches(audio, preset)
        ),
        finish=functools.partial(vggish.finish, preset=preset),
    )


def codec_embedding(codec: CodecFile) -> Embedding:
    """FD-codec: mean and deviation of a codec's latents over 0.96 s, [P, 2 D].

    It favours what went through the same codec, whose weights the first clip loads.
    """
    load = functools.cache(codec.load)
    config = codec.config
    width = round(WINDOW_SECONDS * config.frame_rate)

    @jax.jit
    def statistics(params, audio):
        latents = functional.encode_latents(params, config, audio[None])[0]
        frames = latents.shape[0] // width * width
        windows = latents[:frames].reshape(-1, width, latents.shape[1])
        return jnp.concatenate([windows.mean(axis=1), windows.std(axis=1)], axis=1)

    def embed(audio: np.ndarray) -> np.ndarray:
        with jax.default_matmul_precision("highest"):
            return np.asarray(statistics(load().variables["params"], audio))

    return Embedding(
        metric=Metric.FD_CODEC,
        details=f"{codec.name}@{codec.sha256[:8]}",
        rate=config.sample_rate,
        params={"codec": codec.sha256, "window": width, "version": VERSION},
        embed=embed,
        finish=lambda vectors: vectors,
    )


def _windows(preset: FadPreset) -> dict[str, Any]:
    return {
        "is_normalised": preset.is_normalised,
        "segment": preset.segment,
        "hop": preset.hop,
    }


def population_vectors(
    examples: Sequence[Example],
    embedding: Embedding,
    cache: pathlib.Path,
    *,
    progress: Progress,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """`clip_vectors` of the real and of the generated stems."""
    real, generated = (
        clip_vectors(
            examples,
            role,
            embedding,
            cache,
            progress=advance(progress, f"{embedding.label} {role}", len(examples)),
        )
        for role in ("real", "generated")
    )
    return real, generated


def clip_vectors(
    examples: Sequence[Example],
    role: str,
    embedding: Embedding,
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> list[np.ndarray]:
    """The vectors [P, D] of one role's clips, in the order of `examples`."""

    def analyse(missing: Sequence[Example]) -> list[Row]:
        return [
            {"vectors": embedding.embed(clips.load(e, role, embedding.rate))}
            for e in missing
        ]

    keys = [clips.joined_key([e.keys[role], f"{e.seconds}"]) for e in examples]
    folder = stage_folder(cache, embedding.metric.value, embedding.params)
    items = dict(zip(keys, examples, strict=True))
    rows = cached(folder, items, analyse, progress=progress)
    return [embedding.finish(rows[key]["vectors"]) for key in keys]

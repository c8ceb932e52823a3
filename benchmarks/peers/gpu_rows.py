"""Rows of benchmarks/gpu.py: each is a generator of figures."""

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks import peers_decode, peers_train
from benchmarks.peers import train_torch
from benchmarks.peers.timing import compare, in_milliseconds, interleaved
from stemjax.codec import functional
from stemjax.config.codec import CodecConfig
from stemjax.config.model import Precision, StemGenConfig, TransformerConfig
from stemjax.config.presets import CODEC_SEANET, CODEC_TINY, fit_to_codec
from stemjax.io.cache import use_compilation_cache
from stemjax.models.flops import flops_per_step, flops_per_token

Figures = Iterator[Mapping[str, Any]]
GUIDED_BRANCHES = 3
FORWARD_SHARE = 3  # a training step is three forwards


@dataclasses.dataclass(frozen=True)
class Size:
    """Sizes to measure: the paper's, or small ones that only show that the row runs."""

    model: StemGenConfig
    frames: int
    train_batch: int
    matmul: int
    decode: Mapping[int, tuple[int, ...]]  # batch -> steps per level
    codecs: Mapping[str, CodecConfig]
    repeats: int


PAPER = Size(
    model=StemGenConfig(),
    frames=1000,
    train_batch=40,
    matmul=8192,
    decode={1: (16, 16, 16, 16), 32: (4, 4, 4, 4)},
    codecs={"encodec_32k": CodecConfig(), "codec_seanet": CODEC_SEANET.model},
    repeats=3,
)
TINY = Size(
    model=StemGenConfig(
        codebook_size=32,
        transformer=TransformerConfig(width=16, layers=1, heads=2, mlp_hidden=16),
    ),
    frames=10,
    train_batch=2,
    matmul=64,
    decode={1: (1, 1, 1, 1), 32: (1, 1, 1, 1)},
    codecs={
        name: dataclasses.replace(CODEC_TINY.model, num_codebooks=4, codebook_size=32)
        for name in ("encodec_32k", "codec_seanet")
    },
    repeats=1,
)


def torch_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def matmul_flops(side: int) -> float:
    """FLOP/s of the best of ten bfloat16 products of square matrices."""
    x = jnp.ones((side, side), jnp.bfloat16)
    product = jax.jit(lambda a: a @ a)
    runs = {"product": lambda: product(x).block_until_ready()}
    interleaved(runs, 2)
    return 2 * side**3 / min(interleaved(runs, 10)["product"])


def ceiling(size: Size, is_compiled: bool) -> Figures:
    """The machine, and its rate of bfloat16 matrix products."""
    yield {
        "device": jax.devices()[0].device_kind,
        "torch_device": torch_device(),
        "jax": jax.__version__,
        "torch": torch.__version__,
        "matmul_tflops": round(matmul_flops(size.matmul) / 1e12, 2),
    }


def decode(batch: int, size: Size, is_compiled: bool) -> Figures:
    """ms a guided step of a batch, against PyTorch, and the share of the ceiling."""
    steps = size.decode[batch]
    programs = peers_decode.sides(
        size.model,
        Precision.BFLOAT16,
        size.frames,
        steps,
        batch=batch,
        device=torch_device(),
        is_compiled=is_compiled,
    )
    compiled = programs.pop("compiled", None)
    figures = compare(programs, size.repeats, calls=sum(steps), warm=1)
    tokens = GUIDED_BRANCHES * batch * size.frames
    flops = tokens * flops_per_token(size.model, size.frames) / FORWARD_SHARE
    rate = flops / figures["ours_ms"]["median"] * 1e3
    share = rate / matmul_flops(size.matmul)
    yield figures | {"tflops": rate / 1e12, "share_of_ceiling": share}
    if compiled is not None:
        programs = {"ours": programs["ours"], "compiled": compiled}
        yield compare(programs, size.repeats, calls=sum(steps), warm=1)


def train(size: Size, is_compiled: bool) -> Figures:
    """ms a training step on tokens, the share of the ceiling, then PyTorch's ms."""
    batch, frames = size.train_batch, size.frames
    run = peers_train.run_of(size.model, batch, frames)
    made = peers_train.random_batch(size.model, batch, frames)
    codec = next(iter(size.codecs.values()))
    run = dataclasses.replace(run, model=fit_to_codec(run.model, codec))
    programs = {"ours": peers_train.our_step(run, codec, made)}
    figures = compare(programs, size.repeats, warm=2)
    rate = flops_per_step(size.model, batch, frames) / figures["ours_ms"]["median"]
    share = rate * 1e3 / matmul_flops(size.matmul)
    yield figures | {"tflops": rate / 1e9, "share_of_ceiling": share}
    losses = {"eager": train_torch.loss}
    if is_compiled:
        losses["compiled"] = torch.compile(train_torch.loss)
    for name, loss in losses.items():
        step = peers_train.their_step(
            run, made, device=torch_device(), run_loss=loss, autocast=torch.bfloat16
        )
        interleaved({name: step}, 3)
        theirs = interleaved({name: step}, size.repeats)[name]
        over = 1e3 * statistics.median(theirs) / figures["ours_ms"]["median"]
        yield {f"{name}_ms": in_milliseconds(theirs), f"ours_over_{name}": over}
        del step


def audio(codec_name: str, size: Size, is_compiled: bool) -> Figures:
    """A step that encodes its audio, over the step on tokens of the same shape."""
    codec = size.codecs[codec_name]
    run = peers_train.run_of(
        fit_to_codec(size.model, codec), size.train_batch, size.frames
    )
    tokens = peers_train.random_batch(run.model, size.train_batch, size.frames)
    rng = np.random.default_rng(0)
    shape = (size.train_batch, size.frames * codec.hop)
    streams = {n: rng.integers(-(2**14), 2**14, shape) for n in ("context", "target")}
    batch = {n: x.astype(np.int16) for n, x in streams.items()}
    batch["instrument"] = tokens["instrument"]
    programs = {
        "tokens": peers_train.our_step(run, codec, tokens),
        "audio": peers_train.our_step(run, codec, batch, random_codec(codec)),
    }
    interleaved(programs, 3)
    times = interleaved(programs, size.repeats)
    over = statistics.median(times["audio"]) / statistics.median(times["tokens"])
    figures = {f"{name}_ms": in_milliseconds(taken) for name, taken in times.items()}
    yield figures | {"audio_over_tokens": over}


def random_codec(cfg: CodecConfig) -> dict[str, Any]:
    """Variables of a codec with random weights."""
    params, _ = jax.jit(lambda key: functional.init(key, cfg))(jax.random.key(0))
    shape = (cfg.num_codebooks, cfg.codebook_size, cfg.hidden_size)
    tables = 0.1 * jax.random.normal(jax.random.key(1), shape)
    return {
        "params": params,
        "codebooks": functional.codebook_tree(tables, is_inited=True),
    }


def startup(size: Size, is_compiled: bool) -> Figures:
    """Seconds from a process's start to its first finished step, with an empty compile
    cache and with the programs of the start before."""
    script = Path(__file__).resolve().parents[2]
    name = "TINY" if size is TINY else "PAPER"
    code = (
        f"import sys; sys.path.insert(0, {str(script)!r});"
        f"from benchmarks.peers import gpu_rows as g; g.first_step(g.{name})"
    )
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        for start in ("cold_seconds", "warm_seconds"):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", code],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            yield {start: round(time.perf_counter() - started, 1)}


def first_step(size: Size) -> None:
    """One training step, as the trainer starts it."""
    use_compilation_cache()
    run = peers_train.run_of(size.model, size.train_batch, size.frames)
    codec = next(iter(size.codecs.values()))
    run = dataclasses.replace(run, model=fit_to_codec(run.model, codec))
    made = peers_train.random_batch(run.model, size.train_batch, size.frames)
    peers_train.our_step(run, codec, made)()


ROWS: Mapping[str, Callable[[Size, bool], Figures]] = {
    "ceiling": ceiling,
    "decode_1": lambda *args: decode(1, *args),
    "decode_32": lambda *args: decode(32, *args),
    "train": train,
    "audio_codec_seanet": lambda *args: audio("codec_seanet", *args),
    "audio_encodec_32k": lambda *args: audio("encodec_32k", *args),
    "startup": startup,
}

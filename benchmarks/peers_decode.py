"""Decoding speed against plain PyTorch in one run, one JSON line.

`python benchmarks/peers_decode.py [--frames 1000] [--repeats 5] [--no-compile]`.
A model of 512/8/8 with random weights, 1000 frames, 4 levels of 2048 codes, guidance by
source (3 branches), batch 1.  Both sides hold the same weights (tests/benchmarks).  A
step costs the same at every level and time, so 8 steps stand for the 256 of `best`.
Ratios are the peer's median time over ours; above 1 ours is faster.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stemjax.io.process.allocator import keep_memory

keep_memory()

import jax
import numpy as np
import torch

from benchmarks.peers import decode_torch, stemgen_torch
from benchmarks.peers.timing import compare
from stemjax.config.decode import BEST, DecodeConfig
from stemjax.config.model import Precision, StemGenConfig, TransformerConfig
from stemjax.decode.iterate import decode
from stemjax.decode.network import StemGenNetwork
from stemjax.models import stemgen

NET = TransformerConfig(width=512, layers=8, heads=8, mlp_hidden=1368)
STEPS = (2, 2, 2, 2)
TYPES = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16}


def inputs(cfg: StemGenConfig, frames: int, batch: int = 1):
    """Random context codes [B, Q, T] and instruments [B]."""
    shape = (batch, cfg.num_codebooks, frames)
    codes = np.random.default_rng(0).integers(0, cfg.codebook_size, shape, np.int32)
    return codes, np.full(batch, 4, np.int32)


def our_decoding(params, cfg: StemGenConfig, config: DecodeConfig, codes, instrument):
    """A call that decodes the batch and waits for it."""
    keys = jax.random.split(jax.random.key(0), len(codes))
    conditions = {"instrument": instrument}

    def run():
        result = decode(StemGenNetwork(cfg), params, config, codes, conditions, keys)
        return jax.block_until_ready(result.codes)

    return run


def their_decoding(
    model: stemgen_torch.StemGen,
    config: DecodeConfig,
    codes,
    instrument,
    propose: Callable = decode_torch.propose,
):
    """The same for the peer, on the device of its weights."""
    device = model.cos.device
    codes = torch.from_numpy(codes).long().to(device)
    instrument = torch.from_numpy(instrument).long().to(device)

    def run():
        result = decode_torch.decode(
            model,
            codes,
            instrument,
            steps=config.steps,
            scales=config.scales,
            w_conf=config.w_conf,
            w_causal=config.w_causal,
            w_rand=config.w_rand,
            temperature=config.temperature,
            draw=decode_torch.random_draw(device),
            propose=propose,
        )
        if device.type == "cuda":
            torch.cuda.synchronize()
        return result

    return run


def sides(
    cfg: StemGenConfig,
    precision: Precision,
    frames: int,
    steps: tuple[int, ...],
    *,
    batch: int = 1,
    device: str = "cpu",
    is_compiled: bool = True,
) -> dict[str, Callable[[], object]]:
    """Calls that decode the same batch with the same weights: ours, the peer as it is
    and, optionally the compiled peer; `sum(steps)` steps each."""
    net = dataclasses.replace(cfg.transformer, precision=precision)
    cfg = dataclasses.replace(cfg, transformer=net)
    config = dataclasses.replace(BEST, steps=steps)
    params = stemgen.init(jax.random.key(0), cfg)
    model = stemgen_torch.load(cfg, params, frames).eval()
    model = model.to(device, TYPES[precision])
    given = inputs(cfg, frames, batch)
    programs = {
        "ours": our_decoding(params, cfg, config, *given),
        "eager": their_decoding(model, config, *given),
    }
    if is_compiled:
        compiled = torch.compile(decode_torch.propose)
        programs["compiled"] = their_decoding(model, config, *given, compiled)
    return programs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--types", nargs="+", default=[p.value for p in TYPES])
    parser.add_argument("--no-compile", action="store_true")
    arguments = parser.parse_args()
    cfg = StemGenConfig(transformer=NET)
    result = {
        "benchmark": "peers_decode",
        "device": jax.devices()[0].device_kind,
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "frames": arguments.frames,
        "guidance": BEST.guidance.value,
        "steps_timed": sum(STEPS),
        "unit": "ms a step",
    }
    for name in arguments.types:
        programs = sides(
            cfg,
            Precision(name),
            arguments.frames,
            STEPS,
            is_compiled=not arguments.no_compile,
        )
        result[name] = compare(programs, arguments.repeats, calls=sum(STEPS), warm=1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

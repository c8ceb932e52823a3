"""The training step against plain PyTorch in one run, one JSON line.

`python benchmarks/peers_train.py [--batch 8] [--frames 500] [--repeats 5]
[--no-compile]`.  512/8/8 on batches of tokens in float32, as `train.py` runs it: masks,
forward, backward, clipping, AdamW.  Ours adds what the trainer logs (losses by level,
ratio and pattern) and the guard against steps that are not finite.  Ratios are the
peer's median time over ours; above 1 ours is faster.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stemjax.io.process.allocator import keep_memory

keep_memory()

import jax
import numpy as np
import torch

from benchmarks.peers import stemgen_torch, train_torch
from benchmarks.peers.timing import compare
from stemjax.config.codec import CodecConfig
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.config.runs import StemGenRun
from stemjax.config.train import PairConfig
from stemjax.models import stemgen
from stemjax.models.flops import flops_per_step
from stemjax.nn.axes import make_mesh
from stemjax.tasks import stemgen as stemgen_task
from stemjax.train.state import new_state, state_shardings
from stemjax.train.step import batch_sharding, make_train_step

WARM = 4  # turns until XLA's heap has its size: 6.9, 1.2, 0.2 and 0 s in the kernel
NET = TransformerConfig(width=512, layers=8, heads=8, mlp_hidden=1368)


def run_of(model: StemGenConfig, batch: int, frames: int) -> StemGenRun:
    """The paper's run but for its size."""
    return StemGenRun(
        steps=1,
        batch_size=batch,
        model=model,
        pairs=PairConfig(crop_seconds=frames / model.frame_rate),
    )


def random_batch(cfg: StemGenConfig, batch: int, frames: int) -> dict[str, np.ndarray]:
    """A batch of tokens as the reader gives it."""
    rng = np.random.default_rng(0)
    shape = (batch, cfg.num_codebooks, frames)
    names = ("context_codes", "target_codes")
    codes = {n: rng.integers(0, cfg.codebook_size, shape, np.uint16) for n in names}
    return codes | {"instrument": rng.integers(0, 18, batch, np.int32)}


def our_step(run: StemGenRun, codec: CodecConfig, batch, frozen=None):
    """A call that trains a step on `batch` and waits for it.

    frozen: the codec's variables, where the batch is audio and not tokens.
    """
    mesh = make_mesh(run.mesh)
    task = stemgen_task.make(run, codec, batches_are_tokens=frozen is None)
    frozen = frozen or {}
    with jax.set_mesh(mesh):
        shardings = state_shardings(task, run, mesh)
        state = new_state(task, run, shardings)
        step = make_train_step(task, run, mesh, shardings)
        batch = jax.device_put(batch, batch_sharding(mesh))

    def call():
        nonlocal state
        with jax.set_mesh(mesh):
            state, sums, _ = step(state, frozen, batch)
            return float(sums["loss"][0])

    return call


def their_step(
    run: StemGenRun,
    batch,
    *,
    device: str = "cpu",
    run_loss=train_torch.loss,
    autocast: torch.dtype | None = None,
):
    """The same for the peer; the loss is fetched, which waits for it."""
    params = stemgen.init(jax.random.key(0), run.model)
    frames = batch["target_codes"].shape[-1]
    model = stemgen_torch.load(run.model, params, frames).to(device)
    step = train_torch.make_step(
        model, run.objective, run.optim, run_loss=run_loss, autocast=autocast
    )
    batch = {
        name: torch.from_numpy(rows.astype(np.int64)).to(device)
        for name, rows in batch.items()
    }
    return lambda: step(batch).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-compile", action="store_true")
    arguments = parser.parse_args()
    codec = CodecConfig()
    cfg = dataclasses.replace(StemGenConfig(), transformer=NET)
    run = run_of(cfg, arguments.batch, arguments.frames)
    batch = random_batch(cfg, arguments.batch, arguments.frames)
    result = {
        "benchmark": "peers_train",
        "device": jax.devices()[0].device_kind,
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "batch": arguments.batch,
        "frames": arguments.frames,
        "dtype": "float32",
    }
    programs = {"ours": our_step(run, codec, batch), "eager": their_step(run, batch)}
    if not arguments.no_compile:
        compiled = torch.compile(train_torch.loss)
        programs["compiled"] = their_step(run, batch, run_loss=compiled)
    result |= compare(programs, arguments.repeats, warm=WARM)
    flops = flops_per_step(cfg, arguments.batch, arguments.frames)
    result["gflops_per_second"] = round(flops / result["ours_ms"]["median"] / 1e6)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

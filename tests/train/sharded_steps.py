"""Run by test_sharded_steps.py: ten steps of a small StemGen on several meshes.

Prints one JSON object: losses by mesh, and how the first kernel and its Adam moment
lie on the devices.
"""

import dataclasses
import json

import jax
import numpy as np
import optax

from stemjax.config.codec import CodecConfig
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.config.presets import STEMGEN_TINY, fit_to_codec
from stemjax.config.train import MeshConfig, PairConfig
from stemjax.nn.axes import make_mesh
from stemjax.tasks import stemgen as tasks
from stemjax.train.state import new_state, state_shardings
from stemjax.train.step import batch_sharding, make_train_step

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

STEPS, BATCH, FRAMES = 10, 8, 25
CODEC = CodecConfig(num_codebooks=2, codebook_size=64)
RUN = dataclasses.replace(
    STEMGEN_TINY,
    batch_size=BATCH,
    ema_decay=0.9,
    model=fit_to_codec(
        StemGenConfig(
            transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=64)
        ),
        CODEC,
    ),
    pairs=PairConfig(crop_seconds=FRAMES / CODEC.frame_rate),
)


def batch(step: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(step)
    shape = (BATCH, CODEC.num_codebooks, FRAMES)
    codes = rng.integers(0, 8, shape).astype(np.uint16)  # few codes: the loss falls
    return {
        "context_codes": codes,
        "target_codes": (codes + 1) % CODEC.codebook_size,
        "instrument": rng.integers(0, 18, BATCH).astype(np.int32),
    }


def train(sizes: tuple[int, int, int], num_devices: int) -> dict:
    run = dataclasses.replace(
        RUN, mesh=MeshConfig(**dict(zip(AXES, sizes, strict=True)))
    )
    task = tasks.make(run, CODEC, batches_are_tokens=True)
    mesh = make_mesh(run.mesh, jax.devices()[:num_devices])
    losses = []
    with jax.set_mesh(mesh):
        shardings = state_shardings(task, run, mesh)
        state = new_state(task, run, shardings)
        step = make_train_step(task, run, mesh, shardings)
        for i in range(STEPS):
            placed = jax.device_put(batch(i), batch_sharding(mesh))
            state, sums, is_finite = step(state, {}, placed)
            assert bool(is_finite)
            losses.append(float(sums["loss"][0] / sums["loss"][1]))
    (moments,) = [
        leaf.mu
        for leaf in jax.tree.leaves(
            state.opt_state, is_leaf=lambda x: isinstance(x, optax.ScaleByAdamState)
        )
        if isinstance(leaf, optax.ScaleByAdamState)
    ]
    shards = {
        name: list(kernel_of(tree).sharding.shard_shape(kernel_of(tree).shape))
        for name, tree in (
            ("params", state.params),
            ("moments", moments),
            ("average", state.ema),
        )
    }
    return {"losses": losses, "shards": shards}


def kernel_of(params):
    return params["backbone"]["layers_0"]["mlp"]["gate_up"]


AXES = ("data", "fsdp", "tensor")


def main():
    report = {"one": train((1, 1, 1), 1)}
    for sizes in ((8, 1, 1), (1, 8, 1), (2, 2, 2)):
        report[",".join(map(str, sizes))] = train(sizes, 8)
    print(json.dumps(report))


if __name__ == "__main__":
    main()

"""Three optimiser steps of a small codec on one and on four virtual devices."""

import dataclasses

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.config.train import MeshConfig, OptimConfig
from stemjax.nn.axes import make_mesh
from stemjax.tasks import codec as codec_task
from stemjax.train.state import new_state, state_shardings
from stemjax.train.step import make_train_step
from tests.tasks.test_codec import SMALL, music

STEPS = 3


def codebooks_after(devices: int) -> dict[str, np.ndarray]:
    run = dataclasses.replace(
        SMALL,
        mesh=MeshConfig(data=devices),
        optim=OptimConfig(peak_lr=1e-3, warmup_steps=1, hold_steps=100),
    )
    task = codec_task.make(run)
    mesh = make_mesh(run.mesh, jax.devices()[:devices])
    with jax.set_mesh(mesh):
        shardings = state_shardings(task, run, mesh)
        state = new_state(task, run, shardings)
        step = make_train_step(task, run, mesh, shardings)
        for i in range(STEPS):
            state, _, is_finite = step(state, {}, {"audio": music(4, 1600, seed=i)})
            assert bool(is_finite)
    names = ("embed", "embed_avg", "cluster_size")
    return {
        name: np.asarray(functional.stack_codebooks(state.model_state, name))
        for name in names
    }


def main() -> None:
    assert len(jax.devices()) == 4
    one, four = codebooks_after(1), codebooks_after(4)
    # the same sums in another order: 1e-5 of values near 1, through three steps
    np.testing.assert_allclose(four["cluster_size"], one["cluster_size"], atol=1e-5)
    for name in ("embed", "embed_avg"):
        np.testing.assert_allclose(four[name], one[name], rtol=1e-3, atol=1e-4)
    sizes = one["cluster_size"]
    print("equal", sizes.min(), sizes.max())


if __name__ == "__main__":
    main()

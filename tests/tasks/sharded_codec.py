"""Three optimiser steps of a small codec on one and on four virtual devices.

Against a discriminator, so that all that a codec trains is seen.
"""

import dataclasses

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.config.codec import AdversarialObjective, DiscriminatorConfig
from stemjax.config.train import MeshConfig, OptimConfig
from stemjax.nn.axes import make_mesh
from stemjax.tasks import codec as codec_task
from stemjax.train.state import new_state, state_shardings
from stemjax.train.step import make_train_step
from tests.tasks.test_codec import SMALL, music

STEPS = 3


def after_steps(devices: int) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Codebooks, and per part how its parameters moved, flat."""
    run = dataclasses.replace(
        SMALL,
        adversarial=AdversarialObjective(
            weight=0.3,
            matching_weight=0.7,
            discriminator=DiscriminatorConfig(windows=(64,), channels=4, dilations=()),
        ),
        mesh=MeshConfig(data=devices),
        optim=OptimConfig(peak_lr=1e-3, warmup_steps=1, hold_steps=100),
    )
    task = codec_task.make(run)
    mesh = make_mesh(run.mesh, jax.devices()[:devices])
    with jax.set_mesh(mesh):
        shardings = state_shardings(task, run, mesh)
        state = new_state(task, run, shardings)
        first = jax.tree.map(np.array, state.params)
        step = make_train_step(task, run, mesh, shardings)
        for i in range(STEPS):
            state, _, is_finite = step(state, {}, {"audio": music(4, 1600, seed=i)})
            assert bool(is_finite)
    names = ("embed", "embed_avg", "cluster_size")
    books = {
        name: np.asarray(functional.stack_codebooks(state.model_state, name))
        for name in names
    }
    moved = jax.tree.map(lambda a, b: np.asarray(a) - b, state.params, first)
    leaves = {part: jax.tree.leaves(tree) for part, tree in moved.items()}
    return books, [np.concatenate([x.ravel() for x in v]) for v in leaves.values()]


def main() -> None:
    assert len(jax.devices()) == 4
    (one, moved), (four, moved_by_four) = after_steps(1), after_steps(4)
    # the same sums in another order: 1e-5 of values near 1, through three steps
    np.testing.assert_allclose(four["cluster_size"], one["cluster_size"], atol=1e-5)
    for name in ("embed", "embed_avg"):
        np.testing.assert_allclose(four[name], one[name], rtol=1e-3, atol=1e-4)
    assert len(moved) == 3
    for a, b in zip(moved, moved_by_four, strict=True):
        # Adam makes a step of any gradient, so a few that are nearly 0 go astray
        assert np.linalg.norm(a - b) < 0.02 * np.linalg.norm(a), "parameters"
    sizes = one["cluster_size"]
    print("equal", sizes.min(), sizes.max())


if __name__ == "__main__":
    main()

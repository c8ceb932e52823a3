"""Mesh sizes, messages about divisibility, and the table of rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.config.model import Precision
from stemjax.config.train import MeshConfig
from stemjax.nn import axes


@pytest.mark.parametrize(
    ("sizes", "devices", "expected"),
    [
        ((-1, 1, 1), 1, (1, 1, 1)),
        ((-1, 1, 1), 8, (8, 1, 1)),
        ((-1, 2, 2), 8, (2, 2, 2)),
        ((2, -1, 1), 8, (2, 4, 1)),
        ((1, 1, 8), 8, (1, 1, 8)),
    ],
)
def test_minus_one_takes_what_is_left(sizes, devices, expected):
    data, fsdp, tensor = sizes
    cfg = MeshConfig(data=data, fsdp=fsdp, tensor=tensor)
    assert axes.mesh_sizes(cfg, devices) == expected


@pytest.mark.parametrize("sizes", [(3, 1, 1), (-1, 3, 1), (-1, -1, 1), (0, 1, 1)])
def test_sizes_that_do_not_fit_are_named(sizes):
    data, fsdp, tensor = sizes
    with pytest.raises(ValueError, match=f"data={data}"):
        axes.mesh_sizes(MeshConfig(data=data, fsdp=fsdp, tensor=tensor), 8)


def test_mesh_axes_are_auto():
    mesh = axes.make_mesh(MeshConfig(), jax.devices()[:1])
    assert mesh.axis_names == ("data", "fsdp", "tensor")
    assert set(mesh.axis_types) == {jax.sharding.AxisType.Auto}
    with jax.set_mesh(mesh):
        x = jnp.ones((2, 3))
        np.testing.assert_array_equal(axes.constrain(x, (axes.BATCH, None)), x)


@pytest.mark.parametrize(
    ("batch", "micro", "text"),
    [(6, 1, "use 4 or 8"), (3, 1, "use 4"), (12, 2, "use 8 or 16"), (0, 1, "use 4")],
)
def test_nearest_batches_are_named(batch, micro, text):
    mesh = jax.sharding.AbstractMesh((2, 2, 2), axes.MESH_AXES)
    with pytest.raises(ValueError, match=f"batch {batch} .*{text}$"):
        axes.check_divides(batch, mesh, micro_batches=micro)


def test_batches_that_divide_pass():
    mesh = jax.sharding.AbstractMesh((2, 2, 2), axes.MESH_AXES)
    axes.check_divides(8, mesh)
    axes.check_divides(16, mesh, micro_batches=4)


def test_rules_name_mesh_axes_once():
    names = [name for name, _ in axes.RULES]
    assert len(names) == len(set(names))
    for _, targets in axes.RULES:
        group = (targets,) if isinstance(targets, str) else targets or ()
        assert set(group) <= set(axes.MESH_AXES)


def test_precision():
    on_cpu = jax.default_backend() == "cpu"
    auto = jnp.float32 if on_cpu else jnp.bfloat16
    assert axes.compute_dtype(Precision.AUTO) == auto
    assert axes.compute_dtype(Precision.FLOAT32) == jnp.float32
    assert axes.compute_dtype(Precision.BFLOAT16) == jnp.bfloat16

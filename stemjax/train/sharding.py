"""Shardings on the mesh from the logical axes of parameters."""

import math
from typing import Any

import jax
import numpy as np
from flax.core import meta
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stemjax.nn.axes import RULES


def unbox(tree: Any) -> Any:
    """Arrays without the logical axis names that `init` may attach."""
    return jax.tree.map(
        lambda x: x.value if isinstance(x, meta.Partitioned) else x,
        tree,
        is_leaf=lambda x: isinstance(x, meta.Partitioned),
    )


def param_shardings(boxed: Any, mesh: Mesh) -> Any:
    """`NamedSharding` of each parameter.

    A dimension that does not divide over its mesh axes is not split, so that a small
    model runs on any mesh.

    Args:
      boxed: shapes of the parameters, with logical axes (`task.init`).
    """

    def place(leaf) -> NamedSharding:
        if not isinstance(leaf, meta.Partitioned):
            return NamedSharding(mesh, PartitionSpec())
        spec = (
            mesh_axes(name, size, mesh)
            for name, size in zip(leaf.names, leaf.value.shape, strict=True)
        )
        return NamedSharding(mesh, PartitionSpec(*spec))

    return jax.tree.map(place, boxed, is_leaf=lambda x: isinstance(x, meta.Partitioned))


def place(tree: Any, shardings: Any) -> Any:
    """Arrays that are equal in every process, placed on the mesh."""
    if jax.process_count() == 1:
        return jax.device_put(tree, shardings)

    def spread(x, sharding: NamedSharding) -> jax.Array:
        x = np.asarray(x)
        return jax.make_array_from_callback(x.shape, sharding, lambda part: x[part])

    return jax.tree.map(spread, tree, shardings)


def mesh_axes(name: str | None, size: int, mesh: Mesh) -> str | tuple[str, ...] | None:
    """Mesh axes that split a logical axis with `size` entries; None: it is not split.

    Raises:
      KeyError: a logical axis without a row in `RULES`.
    """
    if name is None:
        return None
    axes = dict(RULES)[name]
    if axes is None:
        return None
    names = (axes,) if isinstance(axes, str) else tuple(axes)
    return axes if size % math.prod(mesh.shape[a] for a in names) == 0 else None

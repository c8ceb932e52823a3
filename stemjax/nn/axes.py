"""Logical axes of parameters and activations, and the device mesh.

Models name the meaning of each dimension; the table `RULES` maps these names to mesh
axes.  A new device layout only changes that table.
"""

import math

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, PartitionSpec

from stemjax.config.model import Precision
from stemjax.config.train import MeshConfig

BATCH = "batch"  # examples
TIME = "time"  # frames
EMBED = "embed"  # width of a parameter
ACT_EMBED = "act_embed"  # width of an activation, where BATCH already takes fsdp
HEADS = "heads"
MLP = "mlp"
VOCAB = "vocab"  # outputs of a head
LEVELS = "levels"  # codebook levels
CODES = "codes"  # rows of an embedding table, never split because of the gather
LAYERS = "layers"

RULES: tuple[tuple[str, str | tuple[str, ...] | None], ...] = (
    (BATCH, ("data", "fsdp")),
    (TIME, None),
    (EMBED, "fsdp"),
    (ACT_EMBED, None),
    (HEADS, "tensor"),
    (MLP, "tensor"),
    (VOCAB, "tensor"),
    (LEVELS, None),
    (CODES, None),
    (LAYERS, None),
)
MESH_AXES = ("data", "fsdp", "tensor")


def make_mesh(cfg: MeshConfig, devices=None) -> Mesh:
    """Device mesh with axes data, fsdp and tensor.

    Axes are Auto: the compiler places arrays without a constraint (the default of
    `jax.make_mesh`, Explicit, would type every intermediate array).

    Args:
      cfg: size of each axis; -1 is the number of remaining devices.
      devices: None: all devices of the backend.

    Raises:
      ValueError: two -1, or sizes that do not multiply to the number of devices.
    """
    devices = jax.devices() if devices is None else list(devices)
    sizes = mesh_sizes(cfg, len(devices))
    return jax.make_mesh(
        sizes, MESH_AXES, axis_types=(AxisType.Auto,) * len(sizes), devices=devices
    )


def mesh_sizes(cfg: MeshConfig, num_devices: int) -> tuple[int, int, int]:
    """Sizes (data, fsdp, tensor) with -1 resolved for `num_devices` devices.

    Raises:
      ValueError: two -1, or sizes that do not multiply to the number of devices.
    """
    sizes = [cfg.data, cfg.fsdp, cfg.tensor]
    text = " x ".join(f"{n}={s}" for n, s in zip(MESH_AXES, sizes, strict=True))
    if sizes.count(-1) > 1 or any(s < 1 and s != -1 for s in sizes):
        raise ValueError(f"mesh {text}: every size must be >= 1, at most one -1")
    if -1 in sizes:
        known = math.prod(s for s in sizes if s != -1)
        sizes[sizes.index(-1)] = max(num_devices // known, 1)
    if math.prod(sizes) != num_devices:
        raise ValueError(
            f"mesh {text} does not fit {num_devices} devices: the sizes must multiply"
            f" to {num_devices}"
        )
    return tuple(sizes)


def check_divides(batch_size: int, mesh: Mesh, *, micro_batches: int = 1) -> None:
    """Check that a batch divides evenly over the mesh axes that hold examples.

    Raises:
      ValueError: it does not divide; the message names the nearest sizes that do.
    """
    shares = math.prod(mesh.shape[a] for a in dict(RULES)[BATCH]) * micro_batches
    if batch_size % shares or batch_size < 1:
        below, above = batch_size // shares * shares, -(-batch_size // shares) * shares
        near = f"{below} or {above}" if below else str(max(above, shares))
        raise ValueError(
            f"batch {batch_size} does not divide into {shares} equal parts: use {near}"
        )


def constrain(x: jax.Array, names: tuple[str | None, ...]) -> jax.Array:
    """Shard `x` over the current mesh according to `RULES`; without a mesh, return `x`.

    A dimension that does not divide over its mesh axes stays whole, so that a small
    model runs on any mesh.

    names: one logical axis or None per dimension of `x`.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.size == 1:
        return x
    rules = dict(RULES)
    spec = []
    for name, size in zip(names, x.shape, strict=True):
        axes = rules[name] if name is not None else None
        group = (axes,) if isinstance(axes, str) else (axes or ())
        spec.append(
            axes if size % math.prod(mesh.shape[a] for a in group) == 0 else None
        )
    return jax.lax.with_sharding_constraint(x, PartitionSpec(*spec))


def target_platform() -> str:
    """Platform of the compiled program: "cpu", "gpu" or "tpu".

    The platform of the current mesh, which may consist of abstract devices (compilation
    for another machine); without a mesh, the default backend.
    """
    device = jax.sharding.get_abstract_mesh().abstract_device
    return jax.default_backend() if device is None else device.platform


def compute_dtype(precision: Precision) -> jnp.dtype:
    """Type of matrix products: AUTO is bfloat16 on accelerators, float32 on a CPU."""
    match precision:
        case Precision.FLOAT32:
            return jnp.dtype(jnp.float32)
        case Precision.BFLOAT16:
            return jnp.dtype(jnp.bfloat16)
        case Precision.AUTO:
            is_cpu = target_platform() == "cpu"
            return jnp.dtype(jnp.float32 if is_cpu else jnp.bfloat16)

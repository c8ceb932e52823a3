"""Decoding on all devices of a process: the rows of a batch are divided among them."""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stemjax.codec.codec import Codec
from stemjax.config.decode import DecodeConfig
from stemjax.config.train import MeshConfig
from stemjax.decode.iterate import DecodeResult
from stemjax.decode.keep import Kept
from stemjax.decode.network import StemGenNetwork
from stemjax.decode.windows import decode_windows, overlap_of
from stemjax.nn.axes import make_mesh

BUCKET_FRAMES = 64
"""Contexts are padded to a multiple of this, so that few programs are compiled."""


class Devices(NamedTuple):
    """Weights on the devices of this process."""

    mesh: Mesh
    """The devices on the data axis."""
    params: Any
    """Model parameters, replicated on every device."""
    codecs: tuple[Codec, ...]
    """One codec per device."""


def spread(
    params: Any, codec: Codec, devices: Sequence[jax.Device] | None = None
) -> Devices:
    """Copy a model and its codec to devices; None: all devices of this process."""
    first, *others = jax.local_devices() if devices is None else devices
    mesh = make_mesh(MeshConfig(), [first, *others])
    copies = (
        dataclasses.replace(codec, variables=jax.device_put(codec.variables, device))
        for device in others
    )
    everywhere = NamedSharding(mesh, PartitionSpec())
    return Devices(mesh, jax.device_put(params, everywhere), (codec, *copies))


def divisible_rows(devices: Devices, batch: int) -> np.ndarray:
    """Row numbers 0 .. batch - 1, the last one repeated until the devices divide them."""
    return np.r_[:batch, [batch - 1] * (-batch % devices.mesh.size)].astype(int)


def decode_shared(
    devices: Devices,
    network: StemGenNetwork,
    config: DecodeConfig | Sequence[DecodeConfig],
    context_codes: np.ndarray,
    conditions: Mapping[str, np.ndarray],
    keys: jax.Array,
    *,
    window_frames: int,
    kept: Kept | None = None,
    **options: Any,
) -> DecodeResult:
    """Run `decode_windows` with the rows divided among the devices.

    Contexts are padded to multiples of `BUCKET_FRAMES`.
    """
    batch = len(context_codes)
    rows = divisible_rows(devices, batch)
    if not isinstance(config, DecodeConfig):
        config = [config[row] for row in rows]
    with jax.set_mesh(devices.mesh):
        decoded = decode_windows(
            network,
            devices.params,
            config,
            np.asarray(context_codes)[rows],
            {name: np.asarray(value)[rows] for name, value in conditions.items()},
            keys[rows],
            window_frames=window_frames,
            overlap_frames=overlap_of(network.cfg.frame_rate, window_frames),
            bucket_frames=BUCKET_FRAMES,
            kept=kept and Kept(kept.codes[rows], kept.is_kept[rows]),
            **options,
        )
    return decoded._replace(codes=decoded.codes[:batch], order=decoded.order[:batch])


def row_by_row(
    devices: Devices, run: Callable[[Codec, np.ndarray], np.ndarray], rows: np.ndarray
) -> np.ndarray:
    """Run a codec function on each row [1, ...] separately, on alternating devices.

    A program for another number of rows would round sums differently, and results would
    depend on the batch size.

    Returns:
      The concatenated results [B, ...].
    """
    codecs = devices.codecs

    def one(number: int) -> np.ndarray:
        return run(codecs[number % len(codecs)], rows[number][None])

    if len(codecs) == 1:
        return np.concatenate([one(number) for number in range(len(rows))])
    with concurrent.futures.ThreadPoolExecutor(len(codecs)) as pool:
        return np.concatenate(list(pool.map(one, range(len(rows)))))

"""Decoding on all devices of a process: they share the rows of a batch."""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stemjax.codec.codec import Codec
from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.config.train import MeshConfig
from stemjax.decode.iterate import DecodeResult
from stemjax.decode.windows import decode_long
from stemjax.nn.axes import make_mesh


class Devices(NamedTuple):
    """Weights where they are used.

    mesh: this process's devices on the data axis.  params: the model's, on all of them.
    codecs: one for each device.
    """

    mesh: Mesh
    params: Any
    codecs: tuple[Codec, ...]


def spread(
    params: Any, codec: Codec, devices: Sequence[jax.Device] | None = None
) -> Devices:
    """A model and its codec on devices; None: on all of this process."""
    first, *others = jax.local_devices() if devices is None else devices
    mesh = make_mesh(MeshConfig(), [first, *others])
    copies = (
        dataclasses.replace(codec, variables=jax.device_put(codec.variables, device))
        for device in others
    )
    everywhere = NamedSharding(mesh, PartitionSpec())
    return Devices(mesh, jax.device_put(params, everywhere), (codec, *copies))


def decode_shared(
    devices: Devices,
    cfg: StemGenConfig,
    config: DecodeConfig | Sequence[DecodeConfig],
    context_codes: np.ndarray,
    conditions: Mapping[str, np.ndarray],
    keys: jax.Array,
    *,
    given_codes: np.ndarray | None = None,
    is_given: np.ndarray | None = None,
    **options: Any,
) -> DecodeResult:
    """`decode_long` with the rows shared out; the last row again fills the shares up."""
    batch = len(context_codes)
    rows = np.r_[:batch, [batch - 1] * (-batch % devices.mesh.size)].astype(int)
    if not isinstance(config, DecodeConfig):
        config = [config[row] for row in rows]
    with jax.set_mesh(devices.mesh):
        decoded = decode_long(
            devices.params,
            cfg,
            config,
            np.asarray(context_codes)[rows],
            {name: np.asarray(value)[rows] for name, value in conditions.items()},
            keys[rows],
            given_codes=None if given_codes is None else given_codes[rows],
            is_given=None if is_given is None else is_given[rows],
            **options,
        )
    return decoded._replace(codes=decoded.codes[:batch], order=decoded.order[:batch])


def row_by_row(
    devices: Devices, run: Callable[[Codec, np.ndarray], np.ndarray], rows: np.ndarray
) -> np.ndarray:
    """`run` of every row [1, ...] alone, the devices taking turns; [B, ...].

    Another number of rows is another program, whose sums round otherwise.
    """
    codecs = devices.codecs

    def one(number: int) -> np.ndarray:
        return run(codecs[number % len(codecs)], rows[number][None])

    if len(codecs) == 1:
        return np.concatenate([one(number) for number in range(len(rows))])
    with concurrent.futures.ThreadPoolExecutor(len(codecs)) as pool:
        return np.concatenate(list(pool.map(one, range(len(rows)))))

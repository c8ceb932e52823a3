"""Between our trees of arrays and the published names of tensors.

`encoder/layers_1/block/3/conv/weight` is `encoder.layers.1.block.3.conv.weight`: only
the numbered layers are spelled otherwise, since Linen numbers a list's modules so.
"""

import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.config.codec import AnyCodecConfig
from stemjax.io.errors import UserError
from stemjax.io.weights import flatten, unflatten

HALVES = ("encoder", "decoder")


def to_public(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """`{"params", "codebooks"}` as a flat dict of published names, sorted.

    What trains beside the codec, a discriminator, has none and is left out.
    """
    halves = {half: variables["params"][half] for half in HALVES}
    flat = flatten({**halves, **variables["codebooks"]})
    names = {name: re.sub(r"\blayers_(\d+)\b", r"layers.\1", name) for name in flat}
    arrays = jax.device_get(flat)
    return dict(sorted((names[k], np.asarray(v)) for k, v in arrays.items()))


def from_public(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of `to_public`."""
    inner = {re.sub(r"\blayers\.(\d+)\b", r"layers_\1", k): v for k, v in flat.items()}
    tree = unflatten(inner)
    return {"params": tree, "codebooks": {"quantizer": tree.pop("quantizer")}}


def public_shapes(cfg: AnyCodecConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a codec, by published name; nothing is computed."""
    params, codebooks = jax.eval_shape(
        lambda key: functional.init(key, cfg), jax.random.key(0)
    )
    flat = flatten({**params, **codebooks})
    return {
        re.sub(r"\blayers_(\d+)\b", r"layers.\1", name): array.shape
        for name, array in flat.items()
    }


def check_shapes(flat: Mapping[str, Any], cfg: AnyCodecConfig, source: Any) -> None:
    """Hold weights against their config.

    Raises:
      UserError: a tensor that is missing, not known, or of another shape.
    """
    wanted = public_shapes(cfg)
    mend = "config.json and the weights must be of one codec; copy both again"
    if missing := sorted(set(wanted) - set(flat)):
        raise UserError(f"{source}: has no tensor {missing[0]}; {mend}")
    if unknown := sorted(set(flat) - set(wanted)):
        raise UserError(f"{source}: does not know tensor {unknown[0]}; {mend}")
    for name, shape in wanted.items():
        if tuple(flat[name].shape) != shape:
            raise UserError(
                f"{source}: {name} is {tuple(flat[name].shape)}, not {shape}; {mend}"
            )

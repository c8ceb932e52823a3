"""Conversion between trees of arrays and the published tensor names (EnCodec).

`encoder/layers_1/block/3/conv/weight` is `encoder.layers.1.block.3.conv.weight`.  Only the
numbered layers differ: Linen names the modules of a list `layers_1`.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.config.codec import AnyCodecConfig
from stemjax.io.weights import check_arrays, flatten, unflatten

HALVES = ("encoder", "decoder")


def to_public(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Flatten `{"params", "codebooks"}` to a sorted dict with published names.

    A discriminator, which is only used in training, is omitted.
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


@functools.cache
def public_shapes(cfg: AnyCodecConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a codec by published name; nothing is computed."""
    params, codebooks = jax.eval_shape(
        lambda key: functional.init(key, cfg), jax.random.key(0)
    )
    flat = flatten({**params, **codebooks})
    return {
        re.sub(r"\blayers_(\d+)\b", r"layers.\1", name): array.shape
        for name, array in flat.items()
    }


def check_weights(flat: Mapping[str, Any], cfg: AnyCodecConfig, source: Any) -> None:
    """Check that weights by published names fit their config.

    source: the file, for error messages.

    Raises:
      UserError: a tensor is missing, unknown, of another shape or type, or not finite.
    """
    check_arrays(flat, public_shapes(cfg), source)

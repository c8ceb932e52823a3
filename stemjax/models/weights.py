"""Weights of a StemGen model under their flat names, checked against its config."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from stemjax.config.model import StemGenConfig
from stemjax.io.weights import check_arrays, flatten, unflatten
from stemjax.models.flops import abstract_params


def params_of(
    flat: Mapping[str, np.ndarray], cfg: StemGenConfig, source: Any
) -> dict[str, Any]:
    """Parameters of a model from its flat weights.

    source: the file of the weights, for error messages.

    Raises:
      UserError: a tensor is missing, unknown, of another shape or type, or not finite.
    """
    check_arrays(flat, _shapes(cfg), source)
    return unflatten(flat)


@functools.cache
def _shapes(cfg: StemGenConfig) -> dict[str, tuple[int, ...]]:
    return {name: leaf.shape for name, leaf in flatten(abstract_params(cfg)).items()}

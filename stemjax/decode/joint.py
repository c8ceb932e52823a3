"""Joint generation, p(t, a): a stem and its context, generated together (StemGen, sec. 2).

Both streams go through the iterative decoding of sec. 2.1.1 side by side: at each level
both start masked but for what is given, and every step reveals some codes of each by the
same schedule, as their masks had one level and one ratio in training (Assumption A24).
Codes that are given in either stream stay, and the rest is generated around them.

The context is no guidance source here, because it is generated too: eq. 2 and 3 run over
the conditions alone.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.decode.devices import Devices, decode_shared, divisible_rows
from stemjax.decode.iterate import DecodeResult
from stemjax.decode.keep import Kept
from stemjax.decode.network import JointNetwork

CONTEXT_KEY = 32767
"""Folded into the key of an example for its context; no word of `draw_step` or number of
a window."""


class JointResult(NamedTuple):
    """Generated tokens of both streams."""

    stem: DecodeResult
    context: DecodeResult


def joint_settings(config: DecodeConfig, num_conditions: int) -> DecodeConfig:
    """The settings of a joint generation: the scale of the context is left out.

    The single scale of `Guidance.SINGLE` becomes that of all conditions.
    """
    if not num_conditions:
        return dataclasses.replace(config, guidance=Guidance.NONE, scales=())
    scales = config.scales[1:]
    if config.guidance is Guidance.SINGLE:
        scales = config.scales[:num_conditions]
    return dataclasses.replace(config, scales=scales)


def decode_joint(
    devices: Devices,
    network: JointNetwork,
    config: DecodeConfig,
    conditions: Mapping[str, np.ndarray],
    keys: jax.Array,
    *,
    num_frames: int,
    window_frames: int,
    stem: Kept | None = None,
    context: Kept | None = None,
    **options: Any,
) -> JointResult:
    """Generate stems and their contexts, in windows if they exceed the trained length.

    Args:
      devices: the weights of a joint model.
      network: the model.
      config: settings with a scale for the context and for each condition.
      conditions: {name: [B] int or [B, size] float}.
      keys: [B] random keys.
      num_frames: length of the streams.
      window_frames: trained length of the model.
      stem, context: codes [B, Q, T] of each stream that stay, and their masks; None: none.
      **options: of `decode_windows`.

    Raises:
      ValueError: shapes do not match each other.
    """
    batch = len(keys)
    rows = divisible_rows(devices, batch)  # each half of the rows divides
    shape = (batch, network.num_codebooks, num_frames)
    nothing = Kept(np.zeros(shape, np.int32), np.zeros(shape, bool))
    kept = [
        np.concatenate([np.asarray(array)[rows] for array in streams])
        for streams in zip(stem or nothing, context or nothing, strict=True)
    ]
    context_keys = jax.vmap(lambda key: jax.random.fold_in(key, CONTEXT_KEY))(keys)
    decoded = decode_shared(
        devices,
        network,
        joint_settings(config, len(conditions)),
        np.zeros_like(kept[0]),
        {
            name: np.concatenate([np.asarray(value)[rows]] * 2)
            for name, value in conditions.items()
        },
        jnp.concatenate([keys[rows], context_keys[rows]]),
        num_frames=num_frames,
        window_frames=window_frames,
        kept=Kept(*kept),
        **options,
    )

    def part(first: int) -> DecodeResult:
        one = slice(first, first + batch)
        return decoded._replace(codes=decoded.codes[one], order=decoded.order[one])

    return JointResult(stem=part(0), context=part(len(rows)))

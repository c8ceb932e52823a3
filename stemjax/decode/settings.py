"""Static and traced settings of decoding (StemGen, sec. 2.1.1, 3.2.1).

Static: steps per level, guidance mode, use of the nucleus filter.  All other settings are
traced and per example, so a sweep over them never recompiles.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from stemjax.arrays.sampling import MAX_LEVELS
from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.config.numbers import Seed, check_number


@dataclasses.dataclass(frozen=True, kw_only=True)
class StaticSettings:
    """Settings that select the compiled program."""

    steps: tuple[int, ...]
    """[Q] steps per level."""
    guidance: Guidance
    is_filtered: bool
    """Whether any example of the batch has top_p < 1."""


class TracedSettings(NamedTuple):
    """Settings as NumPy or jax arrays, one row per example."""

    scales: jax.Array
    """[B, branches - 1] guidance scales."""
    w_conf: jax.Array
    """[B]."""
    w_causal: jax.Array
    """[B]."""
    w_rand: jax.Array
    """[B], at the first step of a level."""
    w_rand_final: jax.Array
    """[B], factor on `w_rand` at the last step of a level."""
    temperature: jax.Array
    """[B], at the first step of a level."""
    temperature_final: jax.Array
    """[B], at the last step of a level."""
    top_p: jax.Array
    """[B]."""


def stack_settings(
    configs: DecodeConfig | Sequence[DecodeConfig],
    batch: int,
    *,
    num_codebooks: int,
    num_sources: int,
) -> tuple[StaticSettings, TracedSettings]:
    """Split the settings of a batch into static and traced settings.

    Args:
      configs: one for all examples, or one per example.

    Raises:
      ValueError: the number of configs, their static settings or their number of scales
        do not match.
    """
    rows = [configs] * batch if isinstance(configs, DecodeConfig) else list(configs)
    if len(rows) != batch or not rows:
        raise ValueError(
            f"{len(rows)} settings for {batch} contexts: give one for each"
        )
    for row in rows:
        if len(row.scales) != num_sources:
            raise ValueError(
                f"scales {row.scales}: the model has {num_sources} guidance sources;"
                " give one scale for each"
            )
        if num_codebooks > MAX_LEVELS:
            raise ValueError(f"{num_codebooks} levels: at most {MAX_LEVELS}")
        if row.guidance is not rows[0].guidance:
            raise ValueError("guidance must be the same for all examples of a batch")
        if row.steps_for(num_codebooks) != rows[0].steps_for(num_codebooks):
            raise ValueError(
                f"steps must be the same for all examples of a batch: {row.steps},"
                f" {rows[0].steps}"
            )
    used = {Guidance.NONE: 0, Guidance.SINGLE: 1, Guidance.MULTI: num_sources}
    static = StaticSettings(
        steps=rows[0].steps_for(num_codebooks),
        guidance=rows[0].guidance,
        is_filtered=any(row.top_p < 1 for row in rows),
    )
    columns = {
        name: np.array([getattr(row, name) for row in rows], np.float32)
        for name in TracedSettings._fields
    }
    columns["scales"] = columns["scales"][:, : used[static.guidance]]
    return static, TracedSettings(**columns)


def variation_keys(seeds: np.ndarray, variations: np.ndarray) -> jax.Array:
    """Random keys [B] of decoding; each depends only on its seed and variation.

    Raises:
      ValueError: a seed out of its range; its key would be that of another seed.
    """
    for seed in np.ravel(seeds):
        check_number(Seed, seed, "seed")

    def key(seed, k):
        return jax.random.fold_in(jax.random.key(seed), k)

    return jax.vmap(key)(seeds, variations)

"""Masked codes of a batch, and the forward pass that predicts them (StemGen, sec. 2.1).

Training, validation and context gain mask and predict by these functions alone, so a model
is scored on inputs of the kind that it was trained on.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from stemjax.arrays.masking import level_mask, mask_ratio
from stemjax.config.model import StemGenConfig
from stemjax.models import stemgen
from stemjax.tasks.code_sums import token_terms

EVAL_SEED = 0  # of the masks of evaluation, which depend on row and level alone
CONTEXT = (
    2  # folded into keys of the context's masks; the halves of a split are 0 and 1
)


def hide(codes: jax.Array, is_masked: jax.Array, cfg: StemGenConfig) -> jax.Array:
    """Codes with the mask token where `is_masked`, [B, Q, T]."""
    return jnp.where(is_masked, cfg.codebook_size, codes)


def at_level(values: jax.Array, level: jax.Array) -> jax.Array:
    """[B, Q, T] at the level of each example [B]: [B, T]."""
    return jnp.take_along_axis(values, level[:, None, None], axis=1)[:, 0]


def draw_masks(keys, level, ratio, cfg: StemGenConfig, num_frames: int, **options):
    """`level_mask` of each example: keys [B], level [B], ratio [B] -> [B, Q, T]."""
    one = functools.partial(
        level_mask, num_levels=cfg.num_codebooks, num_frames=num_frames, **options
    )
    return jax.vmap(one)(keys, level, ratio)


def row_keys(row: jax.Array, *path: jax.Array) -> jax.Array:
    """Keys [B] from EVAL_SEED, the row numbers [B] and the entries of `path` [B]."""

    def one(*parts):
        key = jax.random.key(EVAL_SEED)
        for part in parts:
            key = jax.random.fold_in(key, part)
        return key

    return jax.vmap(one)(row, *path)


def fixed_masks(
    row, level, cfg: StemGenConfig, num_frames: int, ratio=None, *, of_context=False
):
    """Masks of evaluation, fixed by row and level: (ratio [B], is_masked [B, Q, T]).

    No prefix is kept, so that runs with and without one are compared on the same tokens.

    Args:
      row: number of each row in the validation set, [B] int32.
      level: [B] int32.
      ratio: mask ratio, [] or [B]; None: drawn as in training.
      of_context: the masks of the context of a joint model, at the same ratio.
    """
    k_ratio, k_mask = jax.vmap(jax.random.split, out_axes=1)(row_keys(row, level))
    if of_context:
        k_mask = row_keys(row, level, jnp.full_like(row, CONTEXT))
    if ratio is None:
        ratio = jax.vmap(mask_ratio)(k_ratio)
    ratio = jnp.broadcast_to(ratio, row.shape)
    return ratio, draw_masks(k_mask, level, ratio, cfg, num_frames)


def masked_terms(
    params: Any,
    cfg: StemGenConfig,
    context: jax.Array,
    target: jax.Array,
    conditions: Mapping[str, jax.Array],
    level: jax.Array,
    is_masked: jax.Array,
    *,
    is_dropped: jax.Array | None = None,
    is_hidden: jax.Array | None = None,
) -> tuple[dict[str, jax.Array], dict[str, jax.Array] | None]:
    """Terms of the masked tokens at the level of each example, see `token_terms`.

    The one forward pass of training, validation and context gain.

    Args:
      context, target: codes [B, Q, T] int32.
      conditions: see `stemgen.embed_conditions`.
      level: [B] int32.
      is_masked: [B, Q, T] bool, tokens of the target.
      is_dropped: [B, S] bool, sources; None: none is dropped.
      is_hidden: [B, Q, T] bool, tokens of the context, which a joint model generates
        too; None: the context is given.

    Returns:
      Terms of the target, and of the context; None for a given context.
    """
    if is_dropped is None:
        is_dropped = jnp.zeros((len(target), cfg.num_sources), bool)
    shown = stemgen.shown_context(cfg, context, level, is_hidden)
    inputs = {
        "context": stemgen.embed_context(params, cfg, shown, is_dropped[:, 0]),
        "target_codes": hide(target, is_masked, cfg),
        "condition": stemgen.embed_conditions(
            params, cfg, conditions, is_dropped[:, 1:]
        ),
        "level": level,
    }
    # Assumption A4: only masked tokens of the drawn level count
    is_counted = at_level(is_masked, level)
    if is_hidden is None:
        logits = stemgen.apply_level(params, cfg, **inputs)
        return token_terms(logits, at_level(target, level), is_counted), None
    logits, context_logits = stemgen.apply_joint(params, cfg, **inputs)
    return (
        token_terms(logits, at_level(target, level), is_counted),
        token_terms(
            context_logits,
            at_level(context, level),
            # Assumption A24: a dropped context has no coarser levels and does not count
            at_level(is_hidden, level) & ~is_dropped[:, :1],
        ),
    )

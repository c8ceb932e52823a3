"""Cross-entropy of a stem's codes given its own, another and no context (StemGen, sec. 2).

The loss of hidden target tokens under one model and the same masks, in nats per token.
How much it falls with the stem's own context says how much the model uses the context.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from stemjax.codec.codec import Codec
from stemjax.config.model import StemGenConfig
from stemjax.config.train import MeshConfig
from stemjax.io.errors import UserError
from stemjax.nn.axes import make_mesh
from stemjax.tasks.masked_codes import fixed_masks, masked_terms
from stemjax.tasks.stemgen import conditions_of

RATIOS = (1.0, 0.75, 0.5, 0.25)
"""Shares of a level's frames that are hidden. With the first, nothing of the level is
known, as in the first step of its decoding; coarser levels are visible."""
WINDOW_BATCH = 4
"""Windows of codes in one forward."""


class ScoringModel(Protocol):
    """A model that scores stems by their context: `stemjax.api.Model`."""

    @property
    def sha256(self) -> str: ...

    @property
    def config(self) -> StemGenConfig: ...

    @property
    def params(self) -> Mapping[str, Any]: ...

    @property
    def codec(self) -> Codec: ...

    @property
    def trained_frames(self) -> int: ...


def pair_losses(
    params: Any,
    cfg: StemGenConfig,
    batches: Iterable[Mapping[str, np.ndarray]],
    *,
    encode: Callable[[np.ndarray], np.ndarray] | None = None,
    num_pairs: int | None = None,
    ratios: tuple[float, ...] = RATIOS,
    devices: Sequence[jax.Device] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Cross-entropy of the hidden target tokens of each pair.

    Args:
      params: of the model.
      cfg: of the model.
      batches: evaluation batches with `is_valid`, `row` and `song` [B], the conditions,
        and either `context_codes`, `other_context_codes`, `target_codes` [B, Q, T] or
        the same names without `_codes` as [B, N] int16 audio.
      encode: audio [B, N] float32 -> codes [B, Q, T], for batches of audio.
      num_pairs: stop after so many pairs; None: all of them.
      ratios: hidden shares of a level's frames.
      devices: share the rows of a batch; None: all of this process.

    Returns:
      Losses [own|other|none, Q, ratios, P] in nats per hidden token, and songs [P].

    Raises:
      UserError: no pair, or batches without another song's context.
    """
    losses, songs, seen = [], [], 0
    mesh = make_mesh(MeshConfig(), devices or jax.local_devices())
    params = jax.device_put(params, NamedSharding(mesh, PartitionSpec()))
    for batch in batches:
        codes = _codes(batch, encode)
        is_valid = np.asarray(batch["is_valid"], bool)
        if num_pairs is not None:
            is_valid &= np.cumsum(is_valid) + seen <= num_pairs
        rows = (codes, conditions_of(cfg, batch), jnp.asarray(batch["row"], jnp.int32))
        with jax.set_mesh(mesh):
            # the model shares the rows out by its own constraints
            pair = _pair_losses(params, *rows, cfg=cfg, ratios=ratios)
        losses.append(np.asarray(pair)[..., is_valid])
        songs.append(np.asarray(batch["song"])[is_valid])
        seen += int(is_valid.sum())
        if num_pairs is not None and seen >= num_pairs:
            break
    if not seen:
        raise UserError("context gain: no held-out pair; give data with a test split")
    return np.concatenate(losses, axis=-1), np.concatenate(songs)


def gains_over_none(
    listener: ScoringModel,
    categories: Sequence[int],
    contexts: np.ndarray,
    stems: np.ndarray,
) -> np.ndarray:
    """How much each stem's loss falls with its context, against no context.

    Args:
      listener: the model.
      categories: instruments of the P stems.
      contexts: codes [P, Q, T] int32.
      stems: codes [P, Q, T] int32.

    Returns:
      [P] nats per token of the coarsest level, all of it hidden; means over windows of
      the trained length.
    """
    losses = window_losses(listener, categories, contexts, contexts, stems)
    return (losses[2] - losses[0])[0].mean(axis=-1)


def window_losses(
    listener: ScoringModel,
    categories: Sequence[int],
    contexts: np.ndarray,
    others: np.ndarray,
    stems: np.ndarray,
) -> np.ndarray:
    """Losses of stems' codes by window, each level entirely hidden.

    Args:
      listener: the model.
      categories: instruments of the P stems.
      contexts, others, stems: codes [P, Q, T] int32 of each stem's context, of another
        context, and of the stem.

    Returns:
      [own|other|none, Q, P, windows] nats per token.  Windows have the trained length;
      frames left over at the end are not scored.
    """
    batches = _windows(categories, contexts, others, stems, listener.trained_frames)
    losses, _ = pair_losses(listener.params, listener.config, batches, ratios=(1.0,))
    return losses[:, :, 0].reshape(3, losses.shape[1], len(stems), -1)


def _windows(
    categories: Sequence[int],
    contexts: np.ndarray,
    others: np.ndarray,
    stems: np.ndarray,
    trained_frames: int,
) -> Iterator[dict[str, np.ndarray]]:
    """Batches of `pair_losses`: every window is a row; stems count as songs."""
    frames = stems.shape[-1]
    width = min(frames, trained_frames)
    starts = range(0, frames - width + 1, width)
    rows = [(p, start) for p in range(len(stems)) for start in starts]
    for first in range(0, len(rows), WINDOW_BATCH):
        real = rows[first : first + WINDOW_BATCH]
        batch = real + [real[-1]] * (WINDOW_BATCH - len(real))

        def cut(codes: np.ndarray, batch=batch) -> np.ndarray:
            return np.stack([codes[p, :, s : s + width] for p, s in batch])

        yield {
            "context_codes": cut(contexts),
            "other_context_codes": cut(others),
            "target_codes": cut(stems),
            "instrument": np.array([categories[p] for p, _ in batch], np.int32),
            "song": np.array([p for p, _ in batch]),
            "row": np.arange(first, first + WINDOW_BATCH, dtype=np.int32),
            "is_valid": np.arange(WINDOW_BATCH) < len(real),
        }


@functools.partial(jax.jit, static_argnames=("cfg", "ratios"))
def _pair_losses(params, codes, conditions, row, *, cfg: StemGenConfig, ratios):
    """Mean loss of each pair's hidden tokens, [own|other|none, Q, ratios, B] float32."""
    target = codes["target"]
    B, Q, T = target.shape
    own, other = codes["context"], codes["other_context"]
    contexts = jnp.stack([own, other, own])
    is_dropped = jnp.zeros((3, B, cfg.num_sources), bool).at[2, :, 0].set(True)

    def one(case):
        level, ratio, which = case
        levels = jnp.full(B, level)
        _, is_masked = fixed_masks(row, levels, cfg, T, ratio)
        terms, _ = masked_terms(
            params,
            cfg,
            contexts[which],
            target,
            conditions,
            levels,
            is_masked,
            is_dropped=is_dropped[which],
        )
        return terms["loss"] / terms["count"]

    # a loop, not vmap: one forward is compiled, and its sharding constraints hold
    cases = jnp.meshgrid(jnp.arange(3), jnp.arange(Q), jnp.array(ratios), indexing="ij")
    which, level, ratio = (x.reshape(-1) for x in cases)
    losses = jax.lax.map(one, (level, ratio, which))
    return losses.reshape(3, Q, len(ratios), B)


def _codes(batch: Mapping, encode) -> dict[str, jax.Array]:
    """Codes [B, Q, T] int32 of the three streams of a batch of tokens or audio."""
    codes = {}
    for name in ("context", "other_context", "target"):
        if f"{name}_codes" in batch:
            codes[name] = jnp.asarray(batch[f"{name}_codes"]).astype(jnp.int32)
        elif name in batch and encode is not None:
            audio = np.asarray(batch[name]).astype(np.float32) / 32768
            codes[name] = jnp.asarray(encode(audio), jnp.int32)
        else:
            raise UserError(
                f"context gain: the batches have no {name}; the split needs two songs"
                " or more"
            )
    return codes

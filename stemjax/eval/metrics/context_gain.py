"""Context gain: how much a model listens (the training paradigm of StemGen, sec. 2).

For a held-out pair, the cross-entropy of the target's hidden tokens given another
song's context minus that given its own, in nats per token, at the same masks.  It is
zero for a model that does not listen, whatever its accuracy; 95 % intervals are a
jackknife over songs, because pairs of one song are not independent.

A wrong context can hurt a model that is sure of itself although the right one does not
help, so the loss without any context stands beside it: `over_null` is what hearing the
right context is worth against hearing none.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from stemjax.config.model import StemGenConfig
from stemjax.config.train import MeshConfig
from stemjax.io.errors import UserError
from stemjax.models import stemgen
from stemjax.nn.axes import make_mesh
from stemjax.tasks.code_sums import token_terms
from stemjax.tasks.stemgen import conditions_of, fixed_masks, hide

RATIOS = (1.0, 0.75, 0.5, 0.25)
"""Shares of the level's frames that are hidden. The headline is the first: nothing of
the level is known, as in the first step of its decoding; coarser levels are shown."""


def measure(
    params: Any,
    cfg: StemGenConfig,
    batches: Iterable[Mapping[str, np.ndarray]],
    *,
    encode: Callable[[np.ndarray], np.ndarray] | None = None,
    num_pairs: int | None = None,
    ratios: Sequence[float] = RATIOS,
    devices: Sequence[jax.Device] | None = None,
) -> dict[int, dict[str, Any]]:
    """Context gain of every level over held-out pairs.

    Args:
      batches: evaluation batches with `is_valid`, `row` and `song` [B], the conditions,
        and either `context_codes`, `other_context_codes`, `target_codes` [B, Q, T] or
        the same names without `_codes` as [B, N] int16 audio.
      encode: audio [B, N] float32 -> codes [B, Q, T], for batches of audio.
      num_pairs: stop after so many pairs; None: all of them.
      ratios: hidden shares; the first is the headline.
      devices: which share the rows of a batch; None: all of this process.

    Returns: level (1 the coarsest) -> {"gain_nats", "low", "high", "n_pairs",
      "n_songs", "own_nats", "other_nats", "null_nats", "over_null": {"gain_nats",
      "low", "high", ...}, "by_ratio": {ratio: the same of it}}; all in nats per hidden
      token. `low` and `high` are None with fewer than two songs.

    Raises:
      UserError: no pair, or batches without another song's context.
    """
    ratios = tuple(map(float, ratios))
    losses, songs = pair_losses(
        params,
        cfg,
        batches,
        encode=encode,
        num_pairs=num_pairs,
        ratios=ratios,
        devices=devices,
    )
    return by_level(losses, songs, ratios)


def by_level(
    losses: np.ndarray, songs: np.ndarray, ratios: Sequence[float] = RATIOS
) -> dict[int, dict[str, Any]]:
    """What `measure` returns, of the losses that `pair_losses` returns."""
    own, other, null = losses

    def summary(q: int, r: int) -> dict[str, Any]:
        return {
            **gain_interval(other[q, r] - own[q, r], songs),
            "own_nats": float(own[q, r].mean()),
            "other_nats": float(other[q, r].mean()),
            "null_nats": float(null[q, r].mean()),
            "over_null": gain_interval(null[q, r] - own[q, r], songs),
        }

    return {
        q + 1: {
            **summary(q, 0),
            "by_ratio": {str(ratio): summary(q, r) for r, ratio in enumerate(ratios)},
        }
        for q in range(own.shape[0])
    }


def paired_difference(
    ours: np.ndarray, theirs: np.ndarray, songs: np.ndarray
) -> dict[int, dict[str, Any]]:
    """Two models on the same pairs: what the first gains more, what it costs less.

    ours, theirs: [own|other|none, Q, ratios, P] from `pair_losses` over one set of
      batches.  songs: [P].  How hard a pair is cancels, so that the intervals are
      narrower than those of each model's values.

    Returns: level -> `gain_interval` of (our gain - their gain) and, as "own",
      of (our cross-entropy with the own context - theirs; below 0: ours is better),
      all of the level hidden.
    """
    change = (ours - theirs)[:, :, 0]
    own, other, _ = change
    return {
        q + 1: {
            **gain_interval(other[q] - own[q], songs),
            "own": gain_interval(own[q], songs),
        }
        for q in range(own.shape[0])
    }


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
    """Cross-entropy of each pair; see `measure` for the arguments and errors.

    Returns: [own|other|none, Q, ratios, P] nats per hidden token, and the songs [P].
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


def gain_interval(gains: np.ndarray, songs: np.ndarray) -> dict[str, Any]:
    """Mean over pairs with its 95 % interval, a jackknife that leaves songs out.

    gains: [P] nats per token of each pair.  songs: [P] which song a pair is from.
    With G songs, the mean without song g is m_g; the standard error is
    sqrt((G - 1) / G sum (m_g - mean m)^2), the interval t quantiles with G - 1 degrees.
    """
    from scipy import stats

    gains = np.asarray(gains, np.float64)
    names, group = np.unique(np.asarray(songs), return_inverse=True)
    G, P = len(names), len(gains)
    mean = float(gains.mean())
    result = {"gain_nats": mean, "low": None, "high": None, "n_pairs": P, "n_songs": G}
    if G < 2:
        return result
    sums = np.bincount(group, weights=gains, minlength=G)
    counts = np.bincount(group, minlength=G)
    without = (gains.sum() - sums) / (P - counts)
    error = np.sqrt((G - 1) / G * np.sum((without - without.mean()) ** 2))
    half = float(stats.t.ppf(0.975, G - 1) * error)
    return result | {"low": mean - half, "high": mean + half}


def shuffle_weights(params: Any, key: jax.Array) -> Any:
    """Every tensor's entries permuted: the same statistics, nothing learned.

    A control: its context gain must not differ from zero.
    """
    leaves, shape = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    mixed = [
        jax.random.permutation(k, x.reshape(-1)).reshape(x.shape)
        for k, x in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(shape, mixed)


@functools.partial(jax.jit, static_argnames=("cfg", "ratios"))
def _pair_losses(params, codes, conditions, row, *, cfg: StemGenConfig, ratios):
    """Mean loss of each pair's hidden tokens, [own|other|none, Q, ratios, B] float32."""
    condition = stemgen.embed_conditions(params, cfg, conditions)
    target = codes["target"]
    B, Q, T = target.shape
    own, other = codes["context"], codes["other_context"]
    contexts = jnp.stack(
        [
            stemgen.embed_context(params, cfg, own),
            stemgen.embed_context(params, cfg, other),
            stemgen.embed_context(params, cfg, own, jnp.ones(B, bool)),
        ]
    )

    def one(case):
        level, ratio, which = case
        levels = jnp.full(B, level)
        _, is_masked = fixed_masks(row, levels, cfg, T, ratio)
        logits = stemgen.apply_level(
            params,
            cfg,
            context=contexts[which],
            target_codes=hide(target, is_masked, cfg),
            condition=condition,
            level=levels,
        )
        terms = token_terms(logits, target[:, level], is_masked[:, level])
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

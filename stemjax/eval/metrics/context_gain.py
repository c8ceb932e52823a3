"""Context gain: how much a model uses its context (training paradigm of StemGen, sec. 2).

For a held-out pair, the cross-entropy of the target's hidden tokens given another
song's context minus that given its own, in nats per token, at the same masks.  It is
zero for a model that ignores the context, whatever its accuracy.  95 % intervals are a
jackknife over songs, because pairs of one song are not independent.

A wrong context can raise the loss of an overconfident model although the right context
does not lower it.  Therefore the loss without any context stands beside it: `over_null`
is the gain of the right context over none.

`stem_gains` scores generated stems in the same way.  The judge is the model that made
them, so it measures how far stems follow what this model takes from a context, not
whether they fit for a listener, and stronger guidance can raise it.  Use it to compare
settings of one model, never two models.
"""

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from stemjax.codec.codec import Codec
from stemjax.config.categories import category_of
from stemjax.config.model import StemGenConfig
from stemjax.eval.metrics.jackknife import from_leave_outs, student_interval
from stemjax.eval.populations.generate import Pair
from stemjax.io.audio import read_audio
from stemjax.tasks.context_loss import RATIOS, Listener, pair_losses, window_losses


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

    Arguments and errors: `stemjax.tasks.context_loss.pair_losses`; the first of `ratios`
    is the headline.

    Returns: `by_level` of the losses.
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
    """Summary of the losses and songs that `pair_losses` returns.

    Returns: level (1 the coarsest) -> {"gain_nats", "low", "high", "n_pairs",
      "n_songs", "own_nats", "other_nats", "null_nats", "over_null": {"gain_nats",
      "low", "high", ...}, "by_ratio": {ratio: the same for it}}; all in nats per hidden
      token. `low` and `high` are None with fewer than two songs.
    """
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
    """Difference of two models on the same pairs, in gain and in cross-entropy.

    Args:
      ours, theirs: [own|other|none, Q, ratios, P] from `pair_losses` over one set of
        batches.  The difficulty of a pair cancels, so that the intervals are narrower
        than those of each model's values.
      songs: [P].

    Returns: level -> `gain_interval` of (our gain - their gain) and, as "own",
      of (our cross-entropy with the own context - theirs; below 0: ours is better),
      with all of the level hidden.
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


def gain_interval(gains: np.ndarray, songs: np.ndarray) -> dict[str, Any]:
    """Mean over pairs with its 95 % interval, a jackknife that leaves songs out.

    With G songs, the mean without song g is m_g; the standard error is
    sqrt((G - 1) / G sum (m_g - mean m)^2), the interval t quantiles with G - 1 degrees.

    Args:
      gains: [P] nats per token of each pair.
      songs: [P] song of each pair.
    """
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
    # songs of any number of pairs weigh alike here
    estimate = from_leave_outs(mean, without, np.ones(G))
    low, high = student_interval(estimate)
    return result | {"low": low, "high": high}


def shuffle_weights(params: Any, key: jax.Array) -> Any:
    """Permute the entries of every tensor: the same statistics, nothing learned.

    A control: the context gain of such a model must not differ from zero.
    """
    leaves, shape = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    mixed = [
        jax.random.permutation(k, x.reshape(-1)).reshape(x.shape)
        for k, x in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(shape, mixed)


def encode_files(codec: Codec, paths: Sequence[pathlib.Path]) -> np.ndarray:
    """Codes [P, Q, T] int32 of mono files of one length at the codec's rate."""
    codes = []
    for path in paths:
        audio = read_audio(path)[0].reshape(-1).astype(np.float32)
        padded = np.pad(audio, (0, -len(audio) % codec.config.hop))
        codes.append(np.asarray(codec.encode(padded[None])))
    return np.concatenate(codes)


def stem_gains(
    listener: Listener,
    pairs: Sequence[Pair],
    contexts: np.ndarray,
    others: np.ndarray,
    stems: np.ndarray,
) -> np.ndarray:
    """Context gain of each stem at each level, [P, Q] nats per token.

    Args:
      listener: the model.
      pairs: P examples.
      contexts, others, stems: codes [P, Q, T] int32 of the context that a stem is scored
        with, of another song's context, and of the stem.
    """
    categories = [category_of(pair.category) for pair in pairs]
    own, other, _ = window_losses(listener, categories, contexts, others, stems)
    return (other - own).mean(axis=-1).T

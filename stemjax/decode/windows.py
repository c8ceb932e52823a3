"""Contexts longer than the model was trained on (StemGen, sec. 3: 20 s crops).

Such a context is decoded in windows of the trained length, one after another; what the
windows before have generated inside a window is given to it.  Each window keeps two
seconds of the one before; the last is aligned to the end and may keep more.  Where codes
are given from the start (editing), only windows with hidden ones are decoded.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.decode.iterate import GIVEN_ORDER, DecodeResult, decode_with
from stemjax.decode.network import Network, StemGenNetwork

OVERLAP_SECONDS = 2.0


def window_starts(num_frames: int, window: int, overlap: int) -> list[int]:
    """First frames of the windows that cover `num_frames`."""
    if not 0 <= overlap < window:
        raise ValueError(f"overlap {overlap} must be within 0..{window - 1} frames")
    if num_frames <= window:
        return [0]
    last = num_frames - window
    return [*range(0, last, window - overlap), last]


def hidden_starts(is_hidden: np.ndarray, window: int, overlap: int) -> list[int]:
    """First frames of the windows that cover all hidden frames.

    is_hidden: [T] bool.  Where all are, these are `window_starts`.  What fits one window
    beside an overlap on either side lies in the middle of one; longer stretches begin
    an overlap before the first hidden frame.  Windows without a hidden frame are left
    out.  None where nothing is hidden.
    """
    hidden = np.flatnonzero(is_hidden)
    num_frames = len(is_hidden)
    if not len(hidden):
        return []
    first, end = int(hidden[0]), int(hidden[-1]) + 1
    low, high = max(0, first - overlap), min(num_frames, end + overlap)
    if high - low <= window:
        middle = (first + end - window) // 2
        return [min(max(0, middle), max(0, num_frames - window))]
    starts = [low + start for start in window_starts(high - low, window, overlap)]
    return [s for s in starts if is_hidden[s : s + window].any()]


def decode_long(
    params: Any,
    cfg: StemGenConfig,
    config: DecodeConfig | Sequence[DecodeConfig],
    context_codes: np.ndarray,
    conditions: Mapping[str, np.ndarray],
    keys: jax.Array,
    *,
    num_frames: int,
    window_frames: int,
    bucket_frames: int = 1,
    given_codes: np.ndarray | None = None,
    is_given: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DecodeResult:
    """Decode contexts of one length, however long: `decode_long_with` StemGen."""
    return decode_long_with(
        StemGenNetwork(cfg),
        params,
        config,
        context_codes,
        conditions,
        keys,
        num_frames=num_frames,
        window_frames=window_frames,
        overlap_frames=round(OVERLAP_SECONDS * cfg.frame_rate),
        bucket_frames=bucket_frames,
        given_codes=given_codes,
        is_given=is_given,
        progress=progress,
    )


def decode_long_with(
    network: Network,
    params: Any,
    config: DecodeConfig | Sequence[DecodeConfig],
    context_codes: np.ndarray,
    conditions: Mapping[str, np.ndarray],
    keys: jax.Array,
    *,
    num_frames: int,
    window_frames: int,
    overlap_frames: int,
    bucket_frames: int = 1,
    given_codes: np.ndarray | None = None,
    is_given: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DecodeResult:
    """Decode contexts of one length, in windows where they exceed the trained length.

    Args:
      config: for all, or one per context with equal `steps` and `guidance`.
      context_codes: [B, Q, >= num_frames].
      num_frames: the contexts' true length.
      window_frames: the model's trained length.
      overlap_frames: given to a window from the one before; at most half a window.
      bucket_frames: shorter contexts are padded to a multiple of it (at most the
        trained length), so that few programs are compiled.
      given_codes, is_given: [B, Q, num_frames] codes to keep as they are, and where.
        Windows lie around what is hidden in any row (`hidden_starts`).
      progress: called with (steps done, steps in all), over all windows.

    Returns NumPy codes and order [B, Q, num_frames]; a code's order is its step within
    the window that generated it, 0 where it was given.  Rows of up to one window equal a
    plain `decode`.

    Raises:
      ValueError: shapes that do not fit each other.
    """
    batch, num_codebooks, have = np.shape(context_codes)
    if not 1 <= num_frames <= have:
        raise ValueError(f"num_frames {num_frames} must be within 1..{have}")
    overlap = min(overlap_frames, window_frames // 2)
    shape = (batch, num_codebooks, num_frames)
    if is_given is None:
        given_codes, is_given = np.zeros(shape, np.int32), np.zeros(shape, bool)
    if not np.shape(given_codes) == np.shape(is_given) == shape:
        raise ValueError(
            f"given_codes and is_given must be {shape}, got {np.shape(given_codes)} and"
            f" {np.shape(is_given)}"
        )
    is_known = np.array(is_given)
    starts = hidden_starts(~is_known.all(axis=(0, 1)), window_frames, overlap)
    bucket = min(-(-num_frames // bucket_frames) * bucket_frames, window_frames)
    short = ((0, 0), (0, 0), (0, max(bucket - num_frames, 0)))
    context = np.pad(np.asarray(context_codes)[..., :num_frames], short)
    codes = np.where(is_known, given_codes, 0).astype(np.int32)
    order = np.full(shape, GIVEN_ORDER, np.int32)
    first = config if isinstance(config, DecodeConfig) else config[0]
    steps, seconds = sum(first.steps_for(num_codebooks)), 0.0
    for i, start in enumerate(starts):
        here = slice(start, start + bucket)
        fresh = ~is_known[..., here]
        result = decode_with(
            network,
            params,
            config,
            context[..., here],
            conditions,
            _window_keys(keys, i),
            np.full(batch, fresh.shape[-1]),
            given_codes=np.pad(codes, short)[..., here],
            is_given=np.pad(is_known, short)[..., here],
            progress=progress and _shifted(progress, i * steps, len(starts) * steps),
        )
        got, steps_of = (
            np.asarray(rows)[..., : fresh.shape[-1]]
            for rows in (result.codes, result.order)
        )
        codes[..., here][fresh] = got[fresh]
        order[..., here][fresh] = steps_of[fresh]
        is_known[..., here] = True
        seconds += result.compile_seconds
    return DecodeResult(codes, order, seconds)


def _window_keys(keys: jax.Array, window: int) -> jax.Array:
    """Keys of a window; those of the first are the caller's own."""
    if window == 0:
        return keys
    # a word that `draw_step`, whose steps count from 1, never folds into a key
    return jax.vmap(lambda key: jax.random.fold_in(key, window))(keys)


def _shifted(progress, done_before: int, total: int):
    return lambda done, _: progress(done_before + done, total)

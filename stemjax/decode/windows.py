"""Decoding of contexts longer than the trained length (StemGen, sec. 3: 20 s crops).

Such a context is decoded in windows of the trained length, in order.  Each window keeps
the codes that earlier windows generated inside it: two seconds, or more for the last
window, which is aligned to the end.  If codes are kept from the start (editing), only
windows with hidden codes are decoded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from stemjax.config.decode import DecodeConfig
from stemjax.decode.host import ProgressCallback, check_kept
from stemjax.decode.iterate import KEPT_ORDER, DecodeResult, decode
from stemjax.decode.keep import Kept
from stemjax.decode.network import Network

OVERLAP_SECONDS = 2.0


def window_starts(num_frames: int, window: int, overlap: int) -> list[int]:
    """First frame of each window, so that the windows cover `num_frames`."""
    if not 0 <= overlap < window:
        raise ValueError(f"overlap {overlap} must be within 0..{window - 1} frames")
    if num_frames <= window:
        return [0]
    last = num_frames - window
    return [*range(0, last, window - overlap), last]


def hidden_starts(is_hidden: np.ndarray, window: int, overlap: int) -> list[int]:
    """First frame of each window, so that the windows cover all hidden frames.

    If all frames are hidden, the result equals `window_starts`.  If the hidden frames
    and an overlap on both sides fit one window, they are centred in it.  Otherwise the
    first window starts one overlap before the first hidden frame.  Windows without hidden
    frames are left out.

    Args:
      is_hidden: [T] bool.
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


def overlap_of(frame_rate: float, window_frames: int) -> int:
    """Frames that consecutive windows share: 2 s, at most half a window."""
    return min(round(OVERLAP_SECONDS * frame_rate), window_frames // 2)


def decode_windows(
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
    kept: Kept | None = None,
    progress: ProgressCallback | None = None,
) -> DecodeResult:
    """Decode contexts of equal length, in windows if they exceed the trained length.

    The result for contexts of up to one window equals that of `decode`.

    Args:
      config: settings for all contexts, or one per context with equal `steps` and
        `guidance`.
      context_codes: [B, Q, >= num_frames].
      num_frames: length of the contexts without padding.
      window_frames: trained length of the model.
      overlap_frames: see `overlap_of`; at most half a window is used.
      bucket_frames: shorter contexts are padded to a multiple of this, up to the trained
        length, so that few programs are compiled.
      kept: codes [B, Q, num_frames] that stay, and their mask.  Windows cover the frames
        that are hidden in any row (`hidden_starts`).
      progress: called with the steps of all windows.

    Returns:
      NumPy codes and order [B, Q, num_frames].  The order of a code is its step within
      the window that generated it, 0 if it was kept.

    Raises:
      ValueError: shapes do not match each other.
    """
    batch, num_codebooks, available = np.shape(context_codes)
    if not 1 <= num_frames <= available:
        raise ValueError(f"num_frames {num_frames} must be within 1..{available}")
    overlap = min(overlap_frames, window_frames // 2)
    shape = (batch, num_codebooks, num_frames)
    check_kept(kept, shape)
    codes, is_known = np.zeros(shape, np.int32), np.zeros(shape, bool)
    if kept is not None:
        is_known = np.array(kept.is_kept)
        codes = np.where(is_known, kept.codes, 0).astype(np.int32)
    starts = hidden_starts(~is_known.all(axis=(0, 1)), window_frames, overlap)
    bucket = min(-(-num_frames // bucket_frames) * bucket_frames, window_frames)
    padding = ((0, 0), (0, 0), (0, max(bucket - num_frames, 0)))
    context = np.pad(np.asarray(context_codes)[..., :num_frames], padding)
    order = np.full(shape, KEPT_ORDER, np.int32)
    first = config if isinstance(config, DecodeConfig) else config[0]
    steps, seconds = sum(first.steps_for(num_codebooks)), 0.0
    for i, start in enumerate(starts):
        window = slice(start, start + bucket)
        is_hidden = ~is_known[..., window]
        result = decode(
            network,
            params,
            config,
            context[..., window],
            conditions,
            _window_keys(keys, i),
            np.full(batch, is_hidden.shape[-1]),
            kept=Kept(
                np.pad(codes, padding)[..., window],
                np.pad(is_known, padding)[..., window],
            ),
            progress=progress and _shifted(progress, i * steps, len(starts) * steps),
        )
        new_codes, new_order = (
            np.asarray(rows)[..., : is_hidden.shape[-1]]
            for rows in (result.codes, result.order)
        )
        codes[..., window][is_hidden] = new_codes[is_hidden]
        order[..., window][is_hidden] = new_order[is_hidden]
        is_known[..., window] = True
        seconds += result.compile_seconds
    return DecodeResult(codes, order, seconds)


def _window_keys(keys: jax.Array, window: int) -> jax.Array:
    """Keys of a window; the first window uses the given keys unchanged."""
    if window == 0:
        return keys
    # `draw_step` counts steps from 1 and never folds this word into a key
    return jax.vmap(lambda key: jax.random.fold_in(key, window))(keys)


def _shifted(
    progress: ProgressCallback, done_before: int, total: int
) -> ProgressCallback:
    return lambda done, _: progress(done_before + done, total)

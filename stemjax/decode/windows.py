"""Contexts longer than the model was trained on (StemGen, sec. 3: 20 s crops).

Such a context is decoded in windows of the trained length, one after another; what the
windows before have generated inside a window is given to it.  Each window keeps two
seconds of the one before; the last is aligned to the end and may keep more.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.decode.iterate import DecodeResult, decode_with
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
      progress: called with (steps done, steps in all), over all windows.

    Returns NumPy codes and order [B, Q, num_frames]; a code's order is its step within
    the window that generated it.  Rows of up to one window equal a plain `decode`.
    """
    batch, num_codebooks, have = np.shape(context_codes)
    if not 1 <= num_frames <= have:
        raise ValueError(f"num_frames {num_frames} must be within 1..{have}")
    overlap = min(overlap_frames, window_frames // 2)
    starts = window_starts(num_frames, window_frames, overlap)
    bucket = min(-(-num_frames // bucket_frames) * bucket_frames, window_frames)
    context = np.asarray(context_codes)[..., :num_frames]
    context = np.pad(context, ((0, 0), (0, 0), (0, max(bucket - num_frames, 0))))
    codes = np.zeros((batch, num_codebooks, num_frames), np.int32)
    order = np.zeros_like(codes)
    first = config if isinstance(config, DecodeConfig) else config[0]
    steps = sum(first.steps_for(num_codebooks))
    end, seconds = 0, 0.0  # frames decoded so far
    for i, start in enumerate(starts):
        stop = min(start + bucket, num_frames)
        given = np.zeros((batch, num_codebooks, bucket), np.int32)
        given[..., : end - start] = codes[..., start:end]
        is_given = np.broadcast_to(np.arange(bucket) < end - start, given.shape)
        result = decode_with(
            network,
            params,
            config,
            context[..., start : start + bucket],
            conditions,
            _window_keys(keys, i),
            np.full(batch, stop - start),
            given_codes=given,
            is_given=is_given,
            progress=progress and _shifted(progress, i * steps, len(starts) * steps),
        )
        fresh = slice(end - start, stop - start)
        codes[..., end:stop] = np.asarray(result.codes)[..., fresh]
        order[..., end:stop] = np.asarray(result.order)[..., fresh]
        end, seconds = stop, seconds + result.compile_seconds
    return DecodeResult(codes, order, seconds)


def _window_keys(keys: jax.Array, window: int) -> jax.Array:
    """Keys of a window; those of the first are the caller's own."""
    if window == 0:
        return keys
    # a word that `draw_step`, whose steps count from 1, never folds into a key
    return jax.vmap(lambda key: jax.random.fold_in(key, window))(keys)


def _shifted(progress, done_before: int, total: int):
    return lambda done, _: progress(done_before + done, total)

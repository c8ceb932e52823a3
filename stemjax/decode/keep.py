"""Codes that an edit keeps, and masks [Q, T] bool (True: kept) that choose them.

The masks are the prompts of VampNet (Garcia et al., 2023, sec. 4.2): inpainting, prefix,
periodic, beats and coarse levels.  Combine them with `&` and `|`.  Codes that no mask
keeps are decoded again around the kept ones.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Kept(NamedTuple):
    """Codes of a stem and a mask of those that stay."""

    codes: np.ndarray
    """[Q, T] int32, or [B, Q, T] for a batch; read only where `is_kept`."""
    is_kept: np.ndarray
    """Bool, same shape as `codes`."""

    def repeat(self, count: int) -> "Kept":
        """The same codes for `count` rows: [Q, T] to [count, Q, T]."""
        return Kept(*(np.repeat(np.asarray(a)[None], count, axis=0) for a in self))


def outside(num_codebooks: int, num_frames: int, start: int, stop: int) -> np.ndarray:
    """Keep all frames except start <= t < stop.

    Raises:
      ValueError: the range is empty or not within 0..num_frames.
    """
    if not 0 <= start < stop <= num_frames:
        raise ValueError(f"frames {start} to {stop} are not within 0..{num_frames}")
    is_kept = np.ones((num_codebooks, num_frames), bool)
    is_kept[:, start:stop] = False
    return is_kept


def share(num_codebooks: int, num_frames: int, fraction: float) -> np.ndarray:
    """Keep a fraction of the frames, spread evenly, at all levels.

    Frame t is kept if floor((t + 1) fraction) > floor(t fraction), so any n consecutive
    frames contain n * fraction kept ones, plus or minus one.

    Raises:
      ValueError: the fraction is outside 0..1.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"a share of {fraction} is not within 0..1")
    # the small term cancels the rounding of multiples such as 10 * 0.1
    counts = np.floor(np.arange(num_frames + 1) * fraction + 1e-9)
    return np.broadcast_to(np.diff(counts) > 0, (num_codebooks, num_frames))


def around(
    num_codebooks: int, num_frames: int, centres: Sequence[int], reach: int
) -> np.ndarray:
    """Keep the frames within `reach` frames of any centre, such as onsets or beats."""
    is_kept = np.zeros((num_codebooks, num_frames), bool)
    for centre in centres:
        is_kept[:, max(0, centre - reach) : max(0, centre + reach + 1)] = True
    return is_kept


def coarse(num_codebooks: int, num_frames: int, levels: int) -> np.ndarray:
    """Keep the first `levels` levels in all frames.

    Raises:
      ValueError: `levels` is outside 0..num_codebooks.
    """
    if not 0 <= levels <= num_codebooks:
        raise ValueError(f"{levels} levels are not within 0..{num_codebooks}")
    is_kept = np.zeros((num_codebooks, num_frames), bool)
    is_kept[:levels] = True
    return is_kept


def whole_frames(is_kept: jax.Array) -> jax.Array:
    """Number of leading frames that are kept on all levels: [B, Q, T] bool -> [B]."""
    is_whole = jnp.all(is_kept, axis=1)
    return jnp.sum(jnp.cumprod(is_whole, axis=-1), axis=-1)

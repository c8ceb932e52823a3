"""Which codes of a stem an edit keeps: masks [Q, T] bool, True where a code stays.

Masks are joined by `&` (both keep) and `|`; what no mask keeps is decoded anew around
the rest.  The prompts of VampNet (Garcia et al., 2023, sec. 4.2): inpainting, prefix,
periodic, beats and coarse levels.
"""

from collections.abc import Sequence

import numpy as np


def outside(num_codebooks: int, num_frames: int, start: int, stop: int) -> np.ndarray:
    """All but the frames start <= t < stop.

    Raises:
      ValueError: no frame between them.
    """
    if not 0 <= start < stop <= num_frames:
        raise ValueError(f"frames {start} to {stop} are not within 0..{num_frames}")
    is_kept = np.ones((num_codebooks, num_frames), bool)
    is_kept[:, start:stop] = False
    return is_kept


def share(num_codebooks: int, num_frames: int, fraction: float) -> np.ndarray:
    """A share of the frames, spread evenly, whole: frame t is kept if
    floor((t + 1) fraction) > floor(t fraction), so that of any n frames
    n * fraction are kept, give or take one.

    Raises:
      ValueError: a fraction outside 0..1.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"a share of {fraction} is not within 0..1")
    # a sum of many shares such as 0.1 falls short of a whole one by rounding alone
    counts = np.floor(np.arange(num_frames + 1) * fraction + 1e-9)
    return np.broadcast_to(np.diff(counts) > 0, (num_codebooks, num_frames))


def around(
    num_codebooks: int, num_frames: int, centres: Sequence[int], reach: int
) -> np.ndarray:
    """Frames within `reach` of any centre, such as onsets or beats."""
    is_kept = np.zeros((num_codebooks, num_frames), bool)
    for centre in centres:
        is_kept[:, max(0, centre - reach) : max(0, centre + reach + 1)] = True
    return is_kept


def coarse(num_codebooks: int, num_frames: int, levels: int) -> np.ndarray:
    """The first levels, of all frames.

    Raises:
      ValueError: more levels than there are.
    """
    if not 0 <= levels <= num_codebooks:
        raise ValueError(f"{levels} levels are not within 0..{num_codebooks}")
    is_kept = np.zeros((num_codebooks, num_frames), bool)
    is_kept[:levels] = True
    return is_kept

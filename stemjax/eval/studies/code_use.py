"""Use of a codec's codes, level by level.

- Perplexity of the codes over all clips: `arrays/vq.py`.
- Share of codes that stay the same if the clip is shifted by 2 ms, a tenth of a frame,
  which does not change the notes.  Codes that change encode phase, which a language model
  over the codes cannot predict (docs/assumptions.md, A27).
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from stemjax.arrays import vq
from stemjax.config.codec import AnyCodecConfig

SHIFT_SECONDS = 0.002


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelUse:
    """Use of one codebook over held-out clips."""

    level: int
    """Level of the codec; 1 is the coarsest."""
    perplexity: float
    """Perplexity of the codes, at most the codebook size."""
    used: int
    """Number of codes that occur."""
    kept: float
    """Share of frames whose code stays the same after the shift, 0 to 1."""


def code_use(
    encode: Callable[[np.ndarray], np.ndarray],
    cfg: AnyCodecConfig,
    clips: Sequence[np.ndarray],
) -> list[LevelUse]:
    """Use of each level's codes by clips, and by the same clips shifted by 2 ms.

    A clip's first and last frame are left out, because the shift changes their content.

    Args:
      encode: audio [B, N] to codes [B, Q, T].
      clips: [N] float32 at the codec's rate.

    Raises:
      ValueError: no clip, or a clip shorter than 3 frames plus the shift.
    """
    shift = round(SHIFT_SECONDS * cfg.sample_rate)
    codes, shifted = [], []
    for clip in clips:
        frames = (len(clip) - shift) // cfg.hop
        if frames < 3:
            raise ValueError(f"a clip of {len(clip)} samples has no inner frames")
        pair = np.stack([clip[at : at + frames * cfg.hop] for at in (0, shift)])
        of_clip, of_shifted = encode(pair)[:, :, 1:-1]
        codes.append(of_clip)
        shifted.append(of_shifted)
    if not codes:
        raise ValueError("no clip to encode")
    codes, shifted = (np.concatenate(parts, axis=1) for parts in (codes, shifted))
    return [
        _level_use(level + 1, codes[level], shifted[level], cfg.codebook_size)
        for level in range(len(codes))
    ]


def _level_use(
    level: int, codes: np.ndarray, shifted: np.ndarray, size: int
) -> LevelUse:
    counts = np.bincount(codes, minlength=size)
    return LevelUse(
        level=level,
        perplexity=float(vq.perplexity(counts)),
        used=int(np.count_nonzero(counts)),
        kept=float(np.mean(codes == shifted)),
    )

"""What a codec's codes are made of, level by level.

- Perplexity of the codes over all clips: `arrays/vq.py`.
- Codes kept when a clip is moved by 2 ms, a tenth of a frame, for which nobody would
  write another note.  What is not kept is phase: a language model over
  the codes has to guess it (docs/assumptions.md, A27).
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from stemjax.arrays import vq
from stemjax.config.codec import AnyCodecConfig

SHIFT_SECONDS = 0.002


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelUse:
    """One codebook over held-out clips."""

    level: int  # 1 is the coarsest
    perplexity: float  # of at most codebook_size
    used: int  # codes that occur
    kept: float  # share of the frames whose code survives the shift


def code_use(
    encode: Callable[[np.ndarray], np.ndarray],
    cfg: AnyCodecConfig,
    clips: Sequence[np.ndarray],
) -> list[LevelUse]:
    """The codes of clips [N] float32 at the codec's rate, and of the same moved by 2 ms.

    encode: audio [B, N] to codes [B, Q, T].  Frames at a clip's two ends are left out:
    the shift moves other samples into them.

    Raises:
      ValueError: no clip, or one of less than 3 frames and the shift.
    """
    shift = round(SHIFT_SECONDS * cfg.sample_rate)
    codes, moved = [], []
    for clip in clips:
        frames = (len(clip) - shift) // cfg.hop
        if frames < 3:
            raise ValueError(f"a clip of {len(clip)} samples has no inner frames")
        both = np.stack([clip[at : at + frames * cfg.hop] for at in (0, shift)])
        first, second = encode(both)[:, :, 1:-1]
        codes.append(first)
        moved.append(second)
    if not codes:
        raise ValueError("no clip to look at the codes of")
    codes, moved = (np.concatenate(parts, axis=1) for parts in (codes, moved))
    return [
        _of_level(level + 1, codes[level], moved[level], cfg.codebook_size)
        for level in range(len(codes))
    ]


def _of_level(level: int, codes: np.ndarray, moved: np.ndarray, size: int) -> LevelUse:
    counts = np.bincount(codes, minlength=size)
    return LevelUse(
        level=level,
        perplexity=float(vq.perplexity(counts)),
        used=int(np.count_nonzero(counts)),
        kept=float(np.mean(codes == moved)),
    )


def markdown(levels: Sequence[LevelUse]) -> str:
    """The table for a model card."""
    lines = [
        "| level | perplexity | codes in use | kept 2 ms later |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {level.level} | {level.perplexity:.0f} | {level.used} | {level.kept:.2f} |"
        for level in levels
    ]
    return "\n".join(lines) + "\n"

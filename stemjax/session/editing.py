"""Editing: parts of a stem are decoded anew, the rest stays to the token.

What the frames that are decoded anew sound like is heard from the codec, at the level
that the recording has elsewhere; outside them the recording itself is heard, crossfaded
over 20 ms that lie in kept frames.
"""

import dataclasses

import numpy as np

from stemjax.api.result import SILENT_DB
from stemjax.config.codec import AnyCodecConfig
from stemjax.decode import keep
from stemjax.io.audio import rms_db
from stemjax.io.errors import UserError

FADE_SECONDS = 0.02
ONSET_REACH = 1  # frames on either side of an onset that are kept with it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """Which part of a stem is made anew, and what is kept inside it."""

    start: float = 0.0
    """Seconds."""
    stop: float | None = None
    """Seconds; None: the end of the context, beyond that of a shorter stem."""
    keep_fraction: float = 0.0
    """Share of the part's frames that stay, spread evenly."""
    keep_onsets: bool = False
    """Whether frames at the stem's onsets stay."""
    keep_levels: int = 0
    """How many coarse levels stay."""


def kept_codes(
    change: Change, stem: np.ndarray, frames: int, cfg: AnyCodecConfig
) -> np.ndarray:
    """Which codes stay, [Q, T] bool.

    stem: [N] as given, at the codec's rate; what lies beyond its end is always made anew.
    frames: T of the context.

    Raises:
      UserError: a part that is not there, or nothing to change.
    """
    levels, frame_rate = cfg.num_codebooks, cfg.frame_rate
    end = frames if change.stop is None else round(change.stop * frame_rate)
    start = round(change.start * frame_rate)
    if not 0 <= start < end <= frames:
        stop = "the end" if change.stop is None else f"{change.stop:g} s"
        raise UserError(
            f"--from {change.start:g} --to {stop}: the context is"
            f" {frames / frame_rate:.2f} s; give a part of it"
        )
    try:
        is_kept = keep.outside(levels, frames, start, end)
        is_kept = is_kept | keep.share(levels, frames, change.keep_fraction)
        is_kept = is_kept | keep.coarse(levels, frames, change.keep_levels)
    except ValueError as error:
        raise UserError(f"--keep-fraction, --keep-levels: {error}") from None
    if change.keep_onsets:
        is_kept |= keep.around(levels, frames, onset_frames(stem, cfg), ONSET_REACH)
    is_kept[:, cfg.frames(len(stem)) :] = False
    if is_kept.all():
        raise UserError("nothing to change: all of the stem would be kept")
    return is_kept


def onset_frames(stem: np.ndarray, cfg: AnyCodecConfig) -> list[int]:
    """Frames at which notes of [N] begin, by librosa's onset detector."""
    import librosa

    times = librosa.onset.onset_detect(y=stem, sr=cfg.sample_rate, units="time")
    return [int(time * cfg.frame_rate) for time in times]


def level_of(
    given: np.ndarray, decoded: np.ndarray, is_fresh: np.ndarray, cfg: AnyCodecConfig
) -> float:
    """The factor that brings the codec's sound to a recording's level: the ratio of their
    root mean squares over what is kept; 1 where either is silent there.

    Arguments as in `spliced`.  A stem of a session was turned up or down, and a codec
    need not keep a level.
    """
    is_kept = ~np.repeat(np.asarray(is_fresh, bool), cfg.hop)[: len(given)]
    ours, theirs = given[is_kept], decoded[: len(given)][is_kept]
    if not ours.size or min(rms_db(ours), rms_db(theirs)) < SILENT_DB:
        return 1.0
    return 10 ** ((rms_db(ours) - rms_db(theirs)) / 20)


def spliced(
    given: np.ndarray, decoded: np.ndarray, is_fresh: np.ndarray, cfg: AnyCodecConfig
) -> np.ndarray:
    """A given recording with the frames that were made anew, [N] float32.

    given: at most N samples.  decoded: [N] from the codes of the whole.  is_fresh: [T]
    bool.  The crossfades are linear and end where a fresh frame begins.
    """
    from scipy.ndimage import distance_transform_edt

    if is_fresh.all():
        return np.asarray(decoded, np.float32)
    fade = round(FADE_SECONDS * cfg.sample_rate)
    fresh = np.repeat(np.asarray(is_fresh, bool), cfg.hop)[: len(decoded)]
    distance = distance_transform_edt(~fresh) if fresh.any() else np.inf
    weight = np.clip(1 - (distance - 0.5) / fade, 0, 1)
    given = np.pad(given, (0, len(decoded) - len(given)))
    return (given + weight * (decoded - given)).astype(np.float32)

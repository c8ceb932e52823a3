"""Editing: regenerate part of a stem and keep the rest token by token.

In the regenerated frames the result is the codec's audio, at the level of the recording.
In all other frames it is the recording itself.  The crossfades of 20 ms lie in kept
frames.
"""

import dataclasses

import numpy as np

from stemjax.config.codec import AnyCodecConfig
from stemjax.config.numbers import Amount, CheckedNumbers, Fraction, NonNegative
from stemjax.decode import keep
from stemjax.decode.result import SILENT_DB
from stemjax.io.audio import rms_db
from stemjax.io.cache import use_numba_cache
from stemjax.io.errors import UserError

FADE_SECONDS = 0.02
ONSET_REACH = 1
"""Frames on either side of an onset that are kept with it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditRequest(CheckedNumbers):
    """Part of a stem to regenerate, and the codes inside it to keep."""

    start: NonNegative = 0.0
    """Start of the part, s."""
    stop: NonNegative | None = None
    """End of the part, s; None: the end of the context."""
    keep_fraction: Fraction = 0.0
    """Fraction of the frames in the part that are kept, spread evenly."""
    keep_onsets: bool = False
    """Keep the frames at onsets of the stem."""
    keep_levels: Amount = 0
    """Number of coarse levels that are kept."""


def kept_mask(
    request: EditRequest, stem: np.ndarray, frames: int, cfg: AnyCodecConfig
) -> np.ndarray:
    """Mask [Q, T] bool of the codes that an edit keeps.

    Args:
      stem: [N] at the codec's rate; frames past its end are always regenerated.
      frames: T, length of the context.

    Raises:
      UserError: the part is not inside the context, or nothing would be regenerated.
    """
    levels, frame_rate = cfg.num_codebooks, cfg.frame_rate
    end = frames if request.stop is None else round(request.stop * frame_rate)
    start = round(request.start * frame_rate)
    if not 0 <= start < end <= frames:
        stop = "the end" if request.stop is None else f"{request.stop:g} s"
        raise UserError(
            f"--from {request.start:g} --to {stop}: the context is"
            f" {frames / frame_rate:.2f} s; give a part of it"
        )
    try:
        is_kept = keep.outside(levels, frames, start, end)
        is_kept = is_kept | keep.share(levels, frames, request.keep_fraction)
        is_kept = is_kept | keep.coarse(levels, frames, request.keep_levels)
    except ValueError as error:
        raise UserError(f"--keep-fraction, --keep-levels: {error}") from None
    if request.keep_onsets:
        is_kept |= keep.around(levels, frames, onset_frames(stem, cfg), ONSET_REACH)
    is_kept[:, cfg.frames(len(stem)) :] = False
    if is_kept.all():
        raise UserError(
            "nothing to change: all of the stem would be kept; lower --keep-fraction or"
            " --keep-levels"
        )
    return is_kept


def onset_frames(stem: np.ndarray, cfg: AnyCodecConfig) -> list[int]:
    """Frames of the onsets in a stem [N], by librosa's onset detector."""
    use_numba_cache()
    import librosa

    times = librosa.onset.onset_detect(y=stem, sr=cfg.sample_rate, units="time")
    return [int(time * cfg.frame_rate) for time in times]


def matching_gain(
    recording: np.ndarray, decoded: np.ndarray, is_new: np.ndarray, cfg: AnyCodecConfig
) -> float:
    """Factor that brings the codec's audio to the level of the recording.

    It is the ratio of their RMS over the kept frames, or 1 if either is silent there.  The
    levels differ because sessions apply a gain and codecs need not preserve levels.
    The arguments are those of `splice`.
    """
    is_kept = ~np.repeat(np.asarray(is_new, bool), cfg.hop)[: len(recording)]
    kept, codec_kept = recording[is_kept], decoded[: len(recording)][is_kept]
    if not kept.size or min(rms_db(kept), rms_db(codec_kept)) < SILENT_DB:
        return 1.0
    return 10 ** ((rms_db(kept) - rms_db(codec_kept)) / 20)


def splice(
    recording: np.ndarray, decoded: np.ndarray, is_new: np.ndarray, cfg: AnyCodecConfig
) -> np.ndarray:
    """Insert the regenerated frames into a recording, with linear crossfades.

    Args:
      recording: at most N samples.
      decoded: [N], decoded from all codes of the edited stem.
      is_new: [T] bool, regenerated frames; a crossfade ends where one begins.

    Returns:
      [N] float32.
    """
    from scipy.ndimage import distance_transform_edt

    if is_new.all():
        return np.asarray(decoded, np.float32)
    fade = round(FADE_SECONDS * cfg.sample_rate)
    new = np.repeat(np.asarray(is_new, bool), cfg.hop)[: len(decoded)]
    distance = distance_transform_edt(~new) if new.any() else np.inf
    weight = np.clip(1 - (distance - 0.5) / fade, 0, 1)
    recording = np.pad(recording, (0, len(decoded) - len(recording)))
    return (recording + weight * (decoded - recording)).astype(np.float32)

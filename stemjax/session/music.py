"""Tempo, metre and key of a recording: supplied by the user or estimated."""

from typing import NamedTuple

import jax
import numpy as np

from stemjax.analysis import tonal
from stemjax.analysis.audio import resample, whole_seconds
from stemjax.analysis.harmony import estimate_harmony_batch
from stemjax.analysis.labels import key_label, parse_key
from stemjax.analysis.records import NO_KEY, NO_METER
from stemjax.analysis.rhythm import analyse_rhythm_batch, beat_times, beats_per_bar
from stemjax.io.errors import UserError

ESTIMATE_SECONDS = 60
"""Length of the beginning of a recording that the estimates use."""
SLOWEST_BPM, FASTEST_BPM = 20.0, 400.0


class MusicInfo(NamedTuple):
    """Tempo, key and metre; a value is None if it is unknown."""

    bpm: float | None = None
    """Beats per minute."""
    key: str | None = None
    """"C:maj", "A:min", ..."""
    beats_per_bar: int | None = None


def check_music(music: MusicInfo) -> MusicInfo:
    """Check values from the user and normalise the spelling of the key.

    Raises:
      UserError: a value out of range or an unknown key.
    """
    if music.bpm is not None and not SLOWEST_BPM <= music.bpm <= FASTEST_BPM:
        raise UserError(
            f"--bpm {music.bpm:g}: give {SLOWEST_BPM:g} to {FASTEST_BPM:g} beats per"
            " minute"
        )
    if music.beats_per_bar is not None and not 1 <= music.beats_per_bar <= 16:
        raise UserError(f"--beats-per-bar {music.beats_per_bar}: give 1 to 16")
    if music.key is None:
        return music
    try:
        return music._replace(key=_key_name(parse_key(music.key)))
    except ValueError as error:
        raise UserError(f"--key: {error}") from None


def estimate_music(audio: np.ndarray, rate: int, known: MusicInfo) -> MusicInfo:
    """Estimate the values that are None in `known`.

    The estimators are those of `stemjax.analysis`, which the evaluation uses.  The tempo
    follows from the mean interval between beats.

    Args:
      audio: [N] mono; the first minute is used.
      rate: Hz.
    """
    if None not in known:
        return known
    batch = whole_seconds(resample(audio[: ESTIMATE_SECONDS * rate], rate))[None]
    pitched, rhythm = tonal.analyse_tonal_batch(batch), analyse_rhythm_batch(batch)
    harmony = estimate_harmony_batch(pitched)
    pitched, rhythm, harmony = jax.tree.map(
        lambda values: values[0], jax.device_get((pitched, rhythm, harmony))
    )
    beats = beat_times(rhythm)
    metre = beats_per_bar(rhythm, pitched.chroma)
    estimate = MusicInfo(
        bpm=60 * (len(beats) - 1) / (beats[-1] - beats[0]) if len(beats) > 1 else None,
        key=_key_name(int(harmony.key)),
        beats_per_bar=None if metre == NO_METER else metre,
    )
    return MusicInfo(
        *(e if k is None else k for k, e in zip(known, estimate, strict=True))
    )


def _key_name(key: int) -> str | None:
    return None if key == NO_KEY else key_label(key)

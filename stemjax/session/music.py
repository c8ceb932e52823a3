"""Tempo, metre and key of a recording: as a person told, else as they were found."""

from typing import NamedTuple

import jax
import numpy as np

from stemjax.analysis import tonal
from stemjax.analysis.analysis import NO_KEY, NO_METER
from stemjax.analysis.audio import whole_seconds
from stemjax.analysis.harmony import estimate_harmony_batch
from stemjax.analysis.labels import key_label, parse_key
from stemjax.analysis.rhythm import analyse_rhythm_batch, beat_times, beats_per_bar
from stemjax.io.audio import resample
from stemjax.io.errors import UserError

HEARD_SECONDS = 60  # of a longer recording, its beginning
SLOWEST_BPM, FASTEST_BPM = 20.0, 400.0


class Music(NamedTuple):
    """None where it is not known."""

    bpm: float | None
    key: str | None
    """"C:maj", "A:min", ..."""
    beats_per_bar: int | None


def check(told: Music) -> Music:
    """What a person told, with the key in one spelling.

    Raises:
      UserError: a tempo, a metre or a key that cannot be.
    """
    if told.bpm is not None and not SLOWEST_BPM <= told.bpm <= FASTEST_BPM:
        raise UserError(
            f"--bpm {told.bpm:g}: give {SLOWEST_BPM:g} to {FASTEST_BPM:g} beats a minute"
        )
    if told.beats_per_bar is not None and not 1 <= told.beats_per_bar <= 16:
        raise UserError(f"--beats-per-bar {told.beats_per_bar}: give 1 to 16")
    if told.key is None:
        return told
    try:
        return told._replace(key=_spelled(parse_key(told.key)))
    except ValueError as error:
        raise UserError(f"--key: {error}") from None


NOTHING = Music(None, None, None)


def find(audio: np.ndarray, rate: int, told: Music = NOTHING) -> Music:
    """What was told, and for the rest what the evaluation's trackers find.

    audio: [N] mono of the whole recording.  Beats, metre and key are those of
    `stemjax.analysis`; the tempo is that of the mean distance of beats.
    """
    if None not in told:
        return told
    heard = resample(audio[: HEARD_SECONDS * rate], rate, tonal.SAMPLE_RATE)
    batch = whole_seconds(np.asarray(heard, np.float32))[None]
    pitched, rhythm = tonal.analyse_tonal_batch(batch), analyse_rhythm_batch(batch)
    harmony = estimate_harmony_batch(pitched)
    pitched, rhythm, harmony = jax.tree.map(
        lambda values: values[0], jax.device_get((pitched, rhythm, harmony))
    )
    beats = beat_times(rhythm)
    metre = beats_per_bar(rhythm, pitched.chroma)
    found = Music(
        bpm=60 * (len(beats) - 1) / (beats[-1] - beats[0]) if len(beats) > 1 else None,
        key=_spelled(int(harmony.key)),
        beats_per_bar=None if metre == NO_METER else metre,
    )
    return Music(*(f if t is None else t for t, f in zip(told, found, strict=True)))


def _spelled(key: int) -> str | None:
    return None if key == NO_KEY else key_label(key)

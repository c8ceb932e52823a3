"""Traits of a stem that a listener notices at once: groove, drones, silence, loudness.

Each is a number of the stem alone, or of the stem beside the beats or the loudness of its
context.  Read it beside the number of the real stem: no value is right for all music.
The thresholds are Assumption A29.
"""

import math
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.analysis import percussion
from stemjax.analysis.audio import RATE, whole_seconds
from stemjax.analysis.loudness import integrated_lufs
from stemjax.analysis.notes import analyse_notes, salience_notes
from stemjax.analysis.percussion import FRAME_RATE
from stemjax.analysis.rhythm import novelty, spectral_flux
from stemjax.analysis.tonal import analyse_tonal
from stemjax.eval.metrics.alignment import FEWEST_BEATS
from stemjax.eval.metrics.mixes import in_batches
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.store import CacheRow, cached, stage_folder

GROOVE_BEATS = (1, 2, 4)
"""Lags of the groove, in beats of the context."""
DRIFT = 0.02
"""Largest relative error of a lag: context and stem may differ by a frame or a drift."""
SILENT_DB = -60.0
"""A frame of 0.1 s below this level is silent, dB re full scale (as in training)."""
DRONE_SHARE = 0.9
"""A stem whose commonest pitch sounds for this share of its notes' time is a drone."""
VERSION = 1
"""Version of the cached rows."""


class StemTraits(NamedTuple):
    """Analysis of one stem alone."""

    onsets: np.ndarray
    """[T] float32 onset strength, 100 frames per second; 0 if nothing begins."""
    notes: np.ndarray
    """[M, 3] onset and offset in seconds, MIDI pitch; empty for noise."""
    silent_share: float
    """Share of frames of 0.1 s below -60 dB re full scale."""
    lufs: float
    """Integrated loudness; -inf for silence."""


def beat_frames(beats: np.ndarray) -> float:
    """Median interval of beat times [M], M >= 2, in frames of the onset strength."""
    return float(np.median(np.diff(beats))) * FRAME_RATE


def groove(onsets: np.ndarray, period: float) -> float:
    """Repetition of a stem's onsets after 1, 2 or 4 beats of its context.

    The largest correlation of the onset strength with itself at these lags: 1 if the
    rhythm repeats exactly, about 0 if it does not repeat, 0 without onsets.  A lag may
    be off by 2 %, or by one frame.  Lags longer than half the stem do not count.

    Args:
      onsets: [T] onset strength, 100 frames per second.
      period: frames per beat of the context.
    """
    correlations = [0.0]
    for beats in GROOVE_BEATS:
        lag = beats * period
        slack = max(1, round(DRIFT * lag))
        for step in range(round(lag) - slack, round(lag) + slack + 1):
            if 0 < step <= len(onsets) // 2:
                correlations.append(_correlation(onsets[:-step], onsets[step:]))
    return max(correlations)


def groove_values(
    beats: Sequence[np.ndarray], stems: Sequence[StemTraits]
) -> np.ndarray:
    """Groove of each stem at the beats of its context, [P]; NaN without four beats.

    Args:
      beats: P beat times [M] of the contexts, in seconds.
    """
    return np.array(
        [
            groove(stem.onsets, beat_frames(times))
            if len(times) >= FEWEST_BEATS
            else np.nan
            for times, stem in zip(beats, stems, strict=True)
        ]
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of [K] and [K]; 0 if one of them is constant."""
    a, b = (x.astype(np.float64) - x.mean() for x in (a, b))
    norm = math.sqrt((a @ a) * (b @ b))
    return float(a @ b) / norm if norm > 1e-9 else 0.0


def pitch_share(notes: np.ndarray) -> float:
    """Share of the sounding time that holds the commonest pitch; NaN without notes.

    A drone has 1, a melody or chords that change have less.

    Args:
      notes: [M, 3] onset, offset (s), MIDI pitch.
    """
    if not len(notes):
        return math.nan
    pitches = np.round(notes[:, 2])
    by_pitch = [_covered(notes[pitches == pitch]) for pitch in np.unique(pitches)]
    return max(by_pitch) / _covered(notes)


def _covered(notes: np.ndarray) -> float:
    """Seconds in which one of the notes [M, 3] or more sound."""
    total, until = 0.0, -math.inf
    for onset, offset, _ in notes[np.argsort(notes[:, 0])]:
        total += max(0.0, offset - max(onset, until))
        until = max(until, offset)
    return total


def distinct_pitches(notes: np.ndarray, seconds: float) -> float:
    """Number of distinct MIDI pitches of notes [M, 3], per 10 s; NaN without notes."""
    if not len(notes):
        return math.nan
    return len(np.unique(np.round(notes[:, 2]))) * 10 / seconds


def silent_share(audio: np.ndarray, rate: int) -> float:
    """Share of the frames of 0.1 s of a clip [N] whose level is below -60 dB."""
    frame = rate // 10
    whole = np.asarray(audio[: len(audio) // frame * frame], np.float64)
    power = np.square(whole.reshape(-1, frame)).mean(axis=1)
    return float(np.mean(power < 10 ** (SILENT_DB / 10))) if len(power) else 1.0


@jax.jit
def _onsets_and_notes(audio: jax.Array):
    """Clips [B, N] at 16 kHz -> [B, T] onset strength, note frames, [B] is tonal."""

    def analyse(clip):
        pitched = analyse_tonal(clip)
        strength = novelty(spectral_flux(percussion.mel_spectrogram(clip)).mean(1))
        return strength, analyse_notes(clip, pitched), pitched.is_tonal

    with jax.default_matmul_precision("highest"):
        return jax.vmap(analyse)(jnp.asarray(audio))


def stem_traits(audio: Sequence[np.ndarray]) -> list[StemTraits]:
    """Analyse stems [N] at 16 kHz, each 1 s or longer."""

    def analyse(batch: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        onsets, frames, is_tonal = jax.device_get(_onsets_and_notes(batch))
        return [
            (
                onsets[b],
                salience_notes(jax.tree.map(lambda values, b=b: values[b], frames))
                if is_tonal[b]
                else np.zeros((0, 3)),
            )
            for b in range(len(batch))
        ]

    music = in_batches([whole_seconds(clip) for clip in audio], analyse)
    return [
        StemTraits(onsets, notes, silent_share(clip, RATE), integrated_lufs(clip, RATE))
        for clip, (onsets, notes) in zip(audio, music, strict=True)
    ]


def cached_stem_traits(
    chosen: Sequence[tuple[Example, str]],
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> list[StemTraits]:
    """Traits of clips, computed once and cached.

    Args:
      chosen: (example, role) of each clip.
      cache: folder of cached analyses.
      progress: called with the number of clips that became available.
    """

    def analyse(missing: Sequence[tuple[Example, str]]) -> list[CacheRow]:
        audio = [clips.load(e, role) for e, role in missing]
        return [
            {name: np.asarray(value) for name, value in traits._asdict().items()}
            for traits in stem_traits(audio)
        ]

    keys = [clips.joined_key([e.keys[role], f"{e.seconds}"]) for e, role in chosen]
    folder = stage_folder(cache, "stem_traits", {"version": VERSION})
    rows = cached(
        folder, dict(zip(keys, chosen, strict=True)), analyse, progress=progress
    )
    return [
        StemTraits(
            row["onsets"], row["notes"], float(row["silent_share"]), float(row["lufs"])
        )
        for row in (rows[key] for key in keys)
    ]

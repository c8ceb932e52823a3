"""The music of batches of mixes: all that MIRDD's descriptors read."""

import jax
import numpy as np

from stemjax.eval.descriptors.analysis import Analysis
from stemjax.eval.descriptors.harmony import chord_segments, estimate_harmony_batch
from stemjax.eval.descriptors.notes import analyse_notes_batch, salience_notes
from stemjax.eval.descriptors.rhythm import (
    analyse_rhythm_batch,
    beat_times,
    beats_per_bar,
)
from stemjax.eval.descriptors.structure import find_sections
from stemjax.eval.descriptors.tonal import analyse_tonal_batch
from stemjax.eval.mixes import Analyser

VERSION = 1  # of what is cached; a change of any descriptor counts it up


def salience_analyser() -> Analyser:
    """Music by this project's own analysis, without third-party weights."""
    return Analyser(
        label="notes=salience",
        params={"notes": "salience", "version": VERSION},
        analyse=analyse_music,
    )


def analyse_music(audio: np.ndarray) -> list[Analysis]:
    """Mixes [B, N] at 16 kHz, N whole seconds, to B analyses.

    A clip without tonal content has no notes; its key is `NO_KEY` and its one chord
    `NO_CHORD`.
    """
    tonal = analyse_tonal_batch(audio)
    harmony = estimate_harmony_batch(tonal)
    notes = analyse_notes_batch(audio, tonal)
    rhythm = analyse_rhythm_batch(audio)
    tonal, harmony, notes, rhythm = jax.device_get((tonal, harmony, notes, rhythm))
    return [
        _analysis(*(_row(part, b) for part in (tonal, harmony, notes, rhythm)))
        for b in range(len(audio))
    ]


def _row(batch, b: int):
    return jax.tree.map(lambda values: values[b], batch)


def _analysis(tonal, harmony, notes, rhythm) -> Analysis:
    is_tonal = bool(tonal.is_tonal)
    return Analysis(
        is_tonal=is_tonal,
        key=int(harmony.key),
        chords=chord_segments(harmony.chords),
        sections=find_sections(tonal.chroma, tonal.semitones),
        notes=salience_notes(notes) if is_tonal else np.zeros((0, 3)),
        beats=beat_times(rhythm),
        beats_per_bar=beats_per_bar(rhythm, tonal.chroma),
        percussive_density=int(rhythm.percussive_density),
    )

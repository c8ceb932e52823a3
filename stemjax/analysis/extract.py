"""The music of batches of mixes: all that MIRDD's descriptors read."""

import jax
import numpy as np

from stemjax.analysis import basic_pitch, tonal
from stemjax.analysis.analysis import Analyser, Analysis
from stemjax.analysis.harmony import chord_segments, estimate_harmony_batch
from stemjax.analysis.notes import analyse_notes_batch, salience_notes
from stemjax.analysis.rhythm import analyse_rhythm_batch, beat_times, beats_per_bar
from stemjax.analysis.structure import find_sections
from stemjax.analysis.tonal import analyse_tonal_batch

VERSION = 2  # of what is cached; a change of any descriptor counts it up


def salience_analyser() -> Analyser:
    """Music by this project's own analysis, without third-party weights."""
    return Analyser(
        label="notes=salience",
        params={"notes": "salience", "version": VERSION},
        analyse=analyse_music,
    )


def basic_pitch_analyser() -> Analyser:
    """The same with the notes of Basic Pitch, whose package and onnxruntime it needs.

    Basic Pitch (Bittner et al. 2022, arXiv 2203.09893) was trained partly on Slakh.

    Raises:
      UserError: a package that is missing.
    """
    session = basic_pitch.open_model()

    def analyse(audio: np.ndarray) -> list[Analysis]:
        return [
            found._replace(
                notes=basic_pitch.transcribe(clip, tonal.SAMPLE_RATE, session)
            )
            if found.is_tonal
            else found
            for clip, found in zip(audio, analyse_music(audio), strict=True)
        ]

    return Analyser(
        label="notes=basic-pitch",
        params={"notes": "basic-pitch", "version": VERSION},
        analyse=analyse,
    )


def analyse_music(audio: np.ndarray) -> list[Analysis]:
    """Mixes [B, N] at 16 kHz, N whole seconds, to B analyses.

    A clip without tonal content has no notes; its key is `NO_KEY` and its one chord
    `NO_CHORD`.
    """
    pitched = analyse_tonal_batch(audio)
    parts = (
        pitched,
        estimate_harmony_batch(pitched),
        analyse_notes_batch(audio, pitched),
        analyse_rhythm_batch(audio),
    )
    parts = jax.device_get(parts)
    return [_analysis(*(_row(part, b) for part in parts)) for b in range(len(audio))]


def _row(batch, b: int):
    return jax.tree.map(lambda values: values[b], batch)


def _analysis(pitched, harmony, notes, rhythm) -> Analysis:
    is_tonal = bool(pitched.is_tonal)
    return Analysis(
        is_tonal=is_tonal,
        key=int(harmony.key),
        chords=chord_segments(harmony.chords),
        sections=find_sections(pitched.chroma, pitched.semitones),
        notes=salience_notes(notes) if is_tonal else np.zeros((0, 3)),
        beats=beat_times(rhythm),
        beats_per_bar=beats_per_bar(rhythm, pitched.chroma),
        percussive_density=int(rhythm.percussive_density),
    )

"""Transcription of a stem to a MIDI file."""

import pathlib

import jax
import numpy as np

from stemjax.analysis import percussion, tonal
from stemjax.analysis.audio import resample, whole_seconds
from stemjax.analysis.notes import analyse_notes_batch, salience_notes
from stemjax.config.categories import CATEGORIES, DRUMS, VOICE
from stemjax.io.atomic import replacing
from stemjax.io.errors import UserError

DRUM_KEYS = (36, 38, 42)
"""Bass drum, snare, closed hi-hat: one per band of percussive onsets."""
HIT_SECONDS = 0.1
VELOCITY = 90
"""Velocity of all notes: the transcription estimates no loudness."""
DEFAULT_BPM = 120.0
VOICE_PROGRAM = 53
"""Voice Oohs.  Other categories use the first program of their General MIDI family."""


def require_pretty_midi() -> None:
    """Check that MIDI can be written.

    Raises:
      UserError: pretty_midi is not installed.
    """
    try:
        import pretty_midi  # noqa: F401
    except ImportError:
        raise UserError(
            "--midi needs pretty_midi: pip install 'stemjax[midi]'"
        ) from None


def transcribe(stem: np.ndarray, rate: int, category: int) -> np.ndarray:
    """Transcribe a stem to notes.

    Drums: percussive onsets in three bands.  Other categories: the notes of MIRDD.

    Args:
      stem: [N] mono.
      rate: Hz.
      category: index into `CATEGORIES`.

    Returns:
      [M, 3]: onset s, offset s, MIDI pitch.
    """
    batch = whole_seconds(np.asarray(resample(stem, rate), np.float32))[None]
    if category == DRUMS:
        mel = jax.jit(percussion.mel_spectrogram)(batch[0])
        is_onset = np.asarray(jax.jit(percussion.percussive_onsets)(mel))
        frame, band = np.nonzero(is_onset)
        onset = frame / percussion.FRAME_RATE
        return np.stack([onset, onset + HIT_SECONDS, np.array(DRUM_KEYS)[band]], axis=1)
    pitched = tonal.analyse_tonal_batch(batch)
    if not bool(pitched.is_tonal[0]):
        return np.zeros((0, 3))
    frames = jax.device_get(analyse_notes_batch(batch, pitched))
    return salience_notes(jax.tree.map(lambda values: values[0], frames))


def write_midi(
    path: pathlib.Path, stem: np.ndarray, rate: int, category: int, bpm: float | None
) -> None:
    """Transcribe a stem [N] to a MIDI file of one track, at 120 bpm if `bpm` is None."""
    import pretty_midi

    file = pretty_midi.PrettyMIDI(initial_tempo=bpm or DEFAULT_BPM)
    is_drum = category == DRUMS
    program = 0 if is_drum else VOICE_PROGRAM if category == VOICE else 8 * category
    track = pretty_midi.Instrument(program, is_drum, CATEGORIES[category])
    track.notes = [
        pretty_midi.Note(VELOCITY, int(pitch), float(onset), float(offset))
        for onset, offset, pitch in transcribe(stem, rate, category)
    ]
    file.instruments.append(track)
    with replacing(path) as part:
        file.write(str(part))

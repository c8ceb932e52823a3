"""The notes of a stem as a MIDI file, by the evaluation's note transcriber."""

import pathlib

import jax
import numpy as np

from stemjax.analysis import percussion, tonal
from stemjax.analysis.audio import whole_seconds
from stemjax.analysis.notes import analyse_notes_batch, salience_notes
from stemjax.config.categories import CATEGORIES, DRUMS, VOICE
from stemjax.io.atomic import replacing
from stemjax.io.audio import resample
from stemjax.io.errors import UserError

DRUM_KEYS = (
    36,
    38,
    42,
)  # bass drum, snare, closed hi-hat: the bands of percussive onsets
HIT_SECONDS = 0.1
VELOCITY = 90  # the transcriber hears no loudness
DEFAULT_BPM = 120.0
VOICE_PROGRAM = 53  # Voice Oohs; of the other categories the first of their family


def check_writer() -> None:
    """Raise where no MIDI can be written, before anything is decoded.

    Raises:
      UserError: pretty_midi is not installed.
    """
    try:
        import pretty_midi  # noqa: F401
    except ImportError:
        raise UserError(
            "--midi needs pretty_midi: pip install 'stemjax[midi]'"
        ) from None


def notes_of(stem: np.ndarray, rate: int, category: int) -> np.ndarray:
    """[M, 3] onset and offset in seconds and MIDI pitch, of [N] mono.

    Of drums, percussive onsets in three bands; of all else, the notes of MIRDD.
    """
    heard = np.asarray(resample(stem, rate, tonal.SAMPLE_RATE), np.float32)
    batch = whole_seconds(heard)[None]
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
    path: pathlib.Path, notes: np.ndarray, category: int, bpm: float | None
) -> None:
    """A file of one track; its tempo is `bpm`, or 120 where none is known."""
    import pretty_midi

    file = pretty_midi.PrettyMIDI(initial_tempo=bpm or DEFAULT_BPM)
    is_drum = category == DRUMS
    program = 0 if is_drum else VOICE_PROGRAM if category == VOICE else 8 * category
    track = pretty_midi.Instrument(program, is_drum, CATEGORIES[category])
    track.notes = [
        pretty_midi.Note(VELOCITY, int(pitch), float(onset), float(offset))
        for onset, offset, pitch in notes
    ]
    file.instruments.append(track)
    with replacing(path) as part:
        file.write(str(part))

"""Analysers of music that `--notes` chooses from."""

from stemjax.analysis.extract import basic_pitch_analyser, salience_analyser
from stemjax.cli.evaluate.shared.arguments import NoteTranscriber

ANALYSERS = {
    NoteTranscriber.SALIENCE: salience_analyser,
    NoteTranscriber.BASIC_PITCH: basic_pitch_analyser,
}
"""Constructors of analysers; Basic Pitch raises `UserError` if it is not installed."""

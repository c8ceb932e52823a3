"""Changes of key and tempo of a MIDI song."""

import dataclasses
from collections.abc import Iterable

from stemjax.data.render.events import DRUM_CHANNEL, Event, Kind

_OCTAVE = 12
_LOWEST, _HIGHEST = 23, 108  # a five-string bass's B0, a piano's C8


@dataclasses.dataclass(frozen=True)
class Variation:
    """Key and tempo relative to the MIDI file."""

    transpose: int = 0
    """Semitones; drums are not transposed."""
    tempo: float = 1.0
    """Speed factor: 1.1 plays 10 % faster."""


AS_WRITTEN = Variation()


def vary(events: Iterable[Event], variation: Variation) -> list[Event]:
    """Events with changed pitch and time.

    A stem that the transposition would take below B0 or above C8 is transposed an octave
    further back as a whole, unless it would leave the range at its other end.  A single
    note outside of 0..127 moves back by an octave.
    """
    events = list(events)
    moves = {
        stem: _move(lowest, highest, variation.transpose)
        for stem, (lowest, highest) in _ranges(events).items()
    }

    def moved(event: Event) -> Event:
        event = event._replace(seconds=event.seconds / variation.tempo)
        if event.kind not in (Kind.ON, Kind.OFF) or event.channel == DRUM_CHANNEL:
            return event
        note = event.a + moves.get(event.stem, variation.transpose)
        if note > 127:
            note -= _OCTAVE
        elif note < 0:
            note += _OCTAVE
        return event._replace(a=note)

    return [moved(event) for event in events]


def _ranges(events: Iterable[Event]) -> dict[int, tuple[int, int]]:
    """Lowest and highest note of each stem except drums."""
    ranges: dict[int, tuple[int, int]] = {}
    for event in events:
        if event.kind is Kind.ON and event.channel != DRUM_CHANNEL:
            lowest, highest = ranges.get(event.stem, (event.a, event.a))
            ranges[event.stem] = min(lowest, event.a), max(highest, event.a)
    return ranges


def _move(lowest: int, highest: int, transpose: int) -> int:
    """Semitones by which a stem moves; one written beyond the range moves as given."""
    if lowest >= _LOWEST > lowest + transpose:
        other = transpose + _OCTAVE
    elif highest <= _HIGHEST < highest + transpose:
        other = transpose - _OCTAVE
    else:
        return transpose
    is_better = lowest + other >= _LOWEST and highest + other <= _HIGHEST
    return other if is_better else transpose

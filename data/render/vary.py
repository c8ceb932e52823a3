"""Transposed and faster or slower renderings of a song: more keys from the same MIDI."""

import dataclasses
from collections.abc import Iterable

from stemjax.data.render.events import DRUM_CHANNEL, Event, Kind

_OCTAVE = 12
_LOWEST, _HIGHEST = 23, 108  # a five-string bass's B0, a piano's C8


@dataclasses.dataclass(frozen=True)
class Variation:
    """How a rendering departs from the MIDI file."""

    transpose: int = 0  # semitones; drums stay
    tempo: float = 1.0  # factor: 1.1 plays 10 % faster


AS_WRITTEN = Variation()


def vary(events: Iterable[Event], variation: Variation) -> list[Event]:
    """The events moved in pitch and time.

    A stem that the move would take below B0 or above C8, where instruments do not play,
    moves an octave the other way as a whole, unless it would leave the range at its
    other end.  A single note that leaves 0..127 goes back an octave.
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
    """Lowest and highest struck note of each stem but the drums."""
    found: dict[int, tuple[int, int]] = {}
    for event in events:
        if event.kind is Kind.ON and event.channel != DRUM_CHANNEL:
            lowest, highest = found.get(event.stem, (event.a, event.a))
            found[event.stem] = min(lowest, event.a), max(highest, event.a)
    return found


def _move(lowest: int, highest: int, transpose: int) -> int:
    """Semitones for a stem with this range; stems written beyond it are left alone."""
    if lowest >= _LOWEST > lowest + transpose:
        other = transpose + _OCTAVE
    elif highest <= _HIGHEST < highest + transpose:
        other = transpose - _OCTAVE
    else:
        return transpose
    is_better = lowest + other >= _LOWEST and highest + other <= _HIGHEST
    return other if is_better else transpose

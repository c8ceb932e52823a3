"""Transposed and faster or slower renderings of a song: more keys from the same MIDI."""

import dataclasses
from collections.abc import Iterable

from data.render.events import DRUM_CHANNEL, Event, Kind

_OCTAVE = 12


@dataclasses.dataclass(frozen=True)
class Variation:
    """How a rendering departs from the MIDI file."""

    transpose: int = 0  # semitones; drums stay
    tempo: float = 1.0  # factor: 1.1 plays 10 % faster


AS_WRITTEN = Variation()


def vary(events: Iterable[Event], variation: Variation) -> list[Event]:
    """The events moved in pitch and time; a note that leaves 0..127 goes back an octave."""

    def moved(event: Event) -> Event:
        event = event._replace(seconds=event.seconds / variation.tempo)
        if event.kind not in (Kind.ON, Kind.OFF) or event.channel == DRUM_CHANNEL:
            return event
        note = event.a + variation.transpose
        if note > 127:
            note -= _OCTAVE
        elif note < 0:
            note += _OCTAVE
        return event._replace(a=note)

    return [moved(event) for event in events]

"""Timed MIDI events and the stems they belong to; between MIDI files and synths.

A stem is one General MIDI program, or 128 for the drum channel.  A linear synth that
gets every control event and only a stem's own notes yields that stem, and the stems
sum to the full song.
"""

import enum
from collections.abc import Iterable
from typing import NamedTuple

DRUM_CHANNEL = 9
DRUM_PROGRAM = 128  # Slakh's number for drums
NO_STEM = -1  # control events belong to all stems


class Kind(enum.IntEnum):
    """Order of events at equal times in composed songs: state, ends, starts."""

    PROGRAM = 0  # a: program
    CONTROL = 1  # a: controller, b: value
    BEND = 2  # a: 0..16383, 8192 is the centre
    OFF = 3  # a: note
    ON = 4  # a: note, b: velocity 1..127


class Event(NamedTuple):
    """One MIDI event; `stem` is NO_STEM until `assign_stems` (and for controls)."""

    seconds: float
    kind: Kind
    channel: int
    a: int
    b: int = 0
    stem: int = NO_STEM


def assign_stems(events: Iterable[Event]) -> list[Event]:
    """Give every note its stem: the program of its channel when it was struck.

    A note-off goes to the stem that got the note-on, though the program has changed
    since.  A note struck again under a new program is ended in its old stem first.
    """
    program = [0] * 16
    struck: dict[tuple[int, int], int] = {}  # stem of the last note-on
    sounding: set[tuple[int, int]] = set()
    out = []
    for event in events:
        key = (event.channel, event.a)
        now = DRUM_PROGRAM if event.channel == DRUM_CHANNEL else program[event.channel]
        if event.kind is Kind.PROGRAM:
            program[event.channel] = event.a
        elif event.kind is Kind.ON:
            if key in sounding and struck[key] != now:
                out.append(Event(event.seconds, Kind.OFF, *key, 0, struck[key]))
            struck[key] = now
            sounding.add(key)
            event = event._replace(stem=now)
        elif event.kind is Kind.OFF:
            event = event._replace(stem=struck.get(key, now))
            sounding.discard(key)
        out.append(event)
    return out


def stems_of(events: Iterable[Event], min_notes: int) -> list[int]:
    """Stems with at least `min_notes` struck notes, by program, drums last."""
    notes: dict[int, int] = {}
    for event in events:
        if event.kind is Kind.ON:
            notes[event.stem] = notes.get(event.stem, 0) + 1
    return sorted(stem for stem, count in notes.items() if count >= min_notes)


def last_note(events: Iterable[Event]) -> float:
    """Time of the last struck note in seconds; 0 where there is none."""
    return max((e.seconds for e in events if e.kind is Kind.ON), default=0.0)

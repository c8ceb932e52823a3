"""Timed MIDI events and their stems.

A stem is one General MIDI program, or 128 for the drum channel.  A linear synth that
receives every control event and the notes of one stem renders that stem, and the stems
sum to the full song.
"""

import enum
from collections.abc import Iterable
from typing import NamedTuple

DRUM_CHANNEL = 9
DRUM_PROGRAM = 128
"""Slakh's number for drums."""
NO_STEM = -1
"""Stem of control events, which belong to all stems."""


class Kind(enum.IntEnum):
    """Kinds of events, in their order at equal times in composed songs."""

    PROGRAM = 0
    """a: program."""
    CONTROL = 1
    """a: controller, b: value."""
    BEND = 2
    """a: 0..16383, centre 8192."""
    OFF = 3
    """a: note."""
    ON = 4
    """a: note, b: velocity 1..127."""


class Event(NamedTuple):
    """One MIDI event."""

    seconds: float
    kind: Kind
    channel: int
    a: int
    """First value, see `Kind`."""
    b: int = 0
    """Second value, see `Kind`."""
    stem: int = NO_STEM
    """Set by `assign_stems`; `NO_STEM` for controls."""


def assign_stems(events: Iterable[Event]) -> list[Event]:
    """Set every note's stem: the program of its channel at its note-on.

    A note-off belongs to the stem of its note-on, even if the program changed in between.
    A note that starts again under a new program ends in its old stem first.
    """
    program = [0] * 16
    started: dict[tuple[int, int], int] = {}  # stem of the last note-on
    sounding: set[tuple[int, int]] = set()
    out = []
    for event in events:
        key = (event.channel, event.a)
        now = DRUM_PROGRAM if event.channel == DRUM_CHANNEL else program[event.channel]
        if event.kind is Kind.PROGRAM:
            program[event.channel] = event.a
        elif event.kind is Kind.ON:
            if key in sounding and started[key] != now:
                out.append(Event(event.seconds, Kind.OFF, *key, 0, started[key]))
            started[key] = now
            sounding.add(key)
            event = event._replace(stem=now)
        elif event.kind is Kind.OFF:
            event = event._replace(stem=started.get(key, now))
            sounding.discard(key)
        out.append(event)
    return out


def stems_of(events: Iterable[Event], min_notes: int) -> list[int]:
    """Stems with at least `min_notes` notes, by program, drums last."""
    notes: dict[int, int] = {}
    for event in events:
        if event.kind is Kind.ON:
            notes[event.stem] = notes.get(event.stem, 0) + 1
    return sorted(stem for stem, count in notes.items() if count >= min_notes)


def last_note(events: Iterable[Event]) -> float:
    """Time of the last note-on in seconds; 0 without notes."""
    return max((e.seconds for e in events if e.kind is Kind.ON), default=0.0)

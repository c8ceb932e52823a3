"""Standard MIDI files: reading with mido, writing without any package."""

import struct
from collections.abc import Iterable
from pathlib import Path

from stemjax.data.render.events import NO_STEM, Event, Kind, assign_stems, last_note
from stemjax.io.errors import UserError

TICKS_PER_SECOND = 1920  # 960 ticks a beat at 120 beats a minute
MAX_SECONDS = 7200.0
"""Length of a song; what comes later is a fault of the file's timing."""
CHORD_NOTES = 64
"""Notes that may begin at one time ..."""
NOTES_PER_SECOND = 150
"""... and, in the whole song, for each second up to the last one."""
_TEMPO = b"\x00\xff\x51\x03\x07\xa1\x20"  # 500,000 microseconds a beat
_STATUS = {
    Kind.PROGRAM: 0xC0,
    Kind.CONTROL: 0xB0,
    Kind.BEND: 0xE0,
    Kind.OFF: 0x80,
    Kind.ON: 0x90,
}


def read_midi(path: Path) -> list[Event]:
    """Events of a MIDI file in seconds, with their stems.

    Raises:
      UserError: mido is not installed, or the file is not MIDI, is timed by SMPTE frames,
        or has timing that no music has.
    """
    try:
        import mido
    except ImportError:
        raise UserError(f"reading {path} needs mido: pip install mido") from None
    try:
        file = mido.MidiFile(path, clip=True)
        events = list(_events(file))
    except Exception as error:  # damaged bytes raise errors of any type
        cause = f"{type(error).__name__} {error}".strip()
        raise UserError(f"{path} is no readable MIDI file ({cause})") from error
    if file.ticks_per_beat <= 0:
        raise UserError(
            f"{path} counts time in SMPTE frames, not in beats; export it again with"
            " ticks per quarter note"
        )
    check_timing(events, path)
    return assign_stems(events)


def check_timing(events: list[Event], path: Path) -> None:
    """Check that a song's notes lie apart as in music.

    Raises:
      UserError: the last note is hours away, or the notes are piled up; a damaged tempo
        or division of time does both.
    """
    seconds = last_note(events)
    if not seconds <= MAX_SECONDS:
        raise UserError(
            f"{path}: its last note is at {seconds:.3g} s, at most {MAX_SECONDS:g}; its"
            " tempo is damaged"
        )
    notes = sum(event.kind is Kind.ON for event in events)
    if notes > CHORD_NOTES + NOTES_PER_SECOND * seconds:
        raise UserError(
            f"{path}: {notes} notes in {seconds:.3g} s; its tempo is damaged"
        )


def _events(file) -> Iterable[Event]:
    seconds = 0.0
    for message in file:
        seconds += message.time
        match message.type:
            case "program_change":
                yield Event(seconds, Kind.PROGRAM, message.channel, message.program)
            case "control_change":
                yield Event(
                    seconds,
                    Kind.CONTROL,
                    message.channel,
                    message.control,
                    message.value,
                )
            case "pitchwheel":
                yield Event(seconds, Kind.BEND, message.channel, message.pitch + 8192)
            case "note_on" if message.velocity > 0:
                yield Event(
                    seconds, Kind.ON, message.channel, message.note, message.velocity
                )
            case "note_on" | "note_off":
                yield Event(seconds, Kind.OFF, message.channel, message.note)


def midi_bytes(events: Iterable[Event], stem: int | None = None) -> bytes:
    """A type-0 MIDI file at 120 beats per minute; with `stem`, only that stem's notes."""
    track = bytearray(_TEMPO)
    last = 0
    for event in events:
        if stem is not None and event.stem not in (NO_STEM, stem):
            continue
        tick = max(last, round(event.seconds * TICKS_PER_SECOND))
        track += _variable_length(tick - last)
        track += bytes([_STATUS[event.kind] | event.channel])
        match event.kind:
            case Kind.PROGRAM:
                track += bytes([event.a])
            case Kind.BEND:
                track += bytes([event.a & 127, event.a >> 7])
            case _:
                track += bytes([event.a, event.b])
        last = tick
    track += b"\x00\xff\x2f\x00"
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS_PER_SECOND // 2)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def _variable_length(value: int) -> bytes:
    out = [value & 127]
    while value := value >> 7:
        out.append(value & 127 | 128)
    return bytes(reversed(out))

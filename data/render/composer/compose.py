"""Composes songs of 4 to 9 parts from a seed.

A song has a key, a tempo, a loop of 4 to 8 chords, a pattern for each part, and sections
in which parts rest, so that stems contain silence.
"""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stemjax.data.render.composer.harmony import (
    Chord,
    Loop,
    Mode,
    Split,
    colour,
    draw_loop,
    tempi_of,
)
from stemjax.data.render.composer.instruments import FEATURED, Part, Role, draw_parts
from stemjax.data.render.composer.patterns import PLAY, Bar, Note, kit
from stemjax.data.render.events import (
    DRUM_CHANNEL,
    DRUM_PROGRAM,
    Event,
    Kind,
    assign_stems,
)

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SPLIT_CYCLE = (Split.TRAIN, Split.VALIDATION, Split.TEST) + (Split.TRAIN,) * 7


class Composition(NamedTuple):
    """A composed song."""

    events: tuple[Event, ...]
    """With their stems."""
    split: Split
    tempo: int
    """Beats per minute."""
    key: str
    """For example "A minor"."""
    loop: Loop
    parts: tuple[Part, ...]

    @property
    def loop_name(self) -> str:
        """The chord loop relative to the tonic, such as "0 9m 5 7"."""
        return " ".join(f"{root}{'m' * minor}" for root, minor in self.loop)


class _Form(NamedTuple):
    """Bars and sections of a song."""

    bars: list[Bar]
    sections: list[list[int]]
    """Bar numbers of each section."""


def split_of(index: int) -> Split:
    """Split of song `index`: of every ten songs, 8 train, 1 validation, 1 test."""
    return _SPLIT_CYCLE[index % len(_SPLIT_CYCLE)]


def compose(seed: int, index: int, seconds: float) -> Composition:
    """Song `index` of the data set with `seed`, `seconds` long.

    Equal arguments give equal songs.  Songs of different splits have different tempi,
    chord loops (harmony.py) and rhythms (lines.py).
    """
    split = split_of(index)
    rng = np.random.default_rng([seed, zlib.crc32(split.value.encode()), index])
    tempo = int(rng.choice(tempi_of(split)))
    mode = Mode.MAJOR if rng.random() < 0.5 else Mode.MINOR
    tonic = int(rng.integers(12))
    loop = draw_loop(rng, mode, split)
    form = _draw_form(rng, mode, tonic, loop, seconds * tempo / 60)
    parts = draw_parts(rng, FEATURED[_rank(index) % len(FEATURED)])
    is_playing = _draw_rests(rng, parts, len(form.sections))
    swing = rng.uniform(0.08, 0.16) if rng.random() < 0.25 else 0.0
    raw: list[Event] = []
    channels = (channel for channel in range(16) if channel != DRUM_CHANNEL)
    for number, part in enumerate(parts):
        is_drums = part.program == DRUM_PROGRAM
        channel = DRUM_CHANNEL if is_drums else next(channels)
        program = kit(rng) if is_drums else part.program
        raw.append(Event(0.0, Kind.PROGRAM, channel, program))
        bars = [
            form.bars[bar]
            for section, numbers in enumerate(form.sections)
            if is_playing[number, section]
            for bar in numbers
        ]
        notes = PLAY[part.role](rng, bars, part.centre, split)
        raw += _perform(rng, notes, channel, tempo, swing, seconds)
    events = assign_stems(sorted(raw, key=lambda e: (e.seconds, e.kind)))
    key = f"{_NAMES[tonic]} {mode.name.lower()}"
    return Composition(tuple(events), split, tempo, key, loop, tuple(parts))


def _rank(index: int) -> int:
    """Number of songs of the same split before song `index`."""
    cycles, place = divmod(index, len(_SPLIT_CYCLE))
    split = _SPLIT_CYCLE[place]
    return cycles * _SPLIT_CYCLE.count(split) + _SPLIT_CYCLE[:place].count(split)


def _draw_form(
    rng: np.random.Generator, mode: Mode, tonic: int, loop: Loop, beats: float
) -> _Form:
    """Bars with their chords until `beats` is reached, in sections of four or eight."""
    metre = 3 if rng.random() < 0.12 else 4
    rate = int(rng.choice((1, 1, 1, 2))) * metre  # beats per chord
    if metre == 4 and rng.random() < 0.2:
        rate = 2
    richness = rng.uniform(0.0, 0.6)
    chords: list[Chord] = [colour(rng, triad, tonic, richness) for triad in loop]
    scale = tuple((tonic + step) % 12 for step in mode.value)
    total = int(np.ceil(beats / metre))
    sections: list[list[int]] = []
    first = 0
    while first < total:
        # Four bars in a short song, so that parts have a section to rest in.
        size = 8 if total >= 40 and rng.random() < 0.6 else 4
        sections.append(list(range(first, min(first + size, total))))
        first += size
    if len(sections) > 1 and len(sections[-1]) < 3:
        short = sections.pop()
        sections[-1] += short
    starts = {section[0] for section in sections}
    ends = {section[-1] for section in sections}
    bars = []
    for number in range(total):
        start = number * metre
        beats_of = [chords[(start + b) // rate % len(chords)] for b in range(metre)]
        bars.append(
            Bar(number, start, tuple(beats_of), scale, number in starts, number in ends)
        )
    return _Form(bars, sections)


def _draw_rests(
    rng: np.random.Generator, parts: Sequence[Part], sections: int
) -> np.ndarray:
    """is_playing [parts, sections]: parts rest in about a quarter of the sections.

    Every part plays in at least half of them.  With three or more sections, all parts
    but drums and bass rest in at least one, unless fewer than two parts would play.
    """
    count = len(parts)
    is_playing = rng.random((count, sections)) < 0.75
    for number, part in enumerate(parts):
        row = is_playing[number]
        order = rng.permutation(sections)
        is_frame = part.role in (Role.DRUMS, Role.BASS)
        if sections >= 3 and row.all() and not is_frame:
            row[order[0]] = False
        for section in order[::-1]:
            if row.sum() < (sections + 1) // 2:
                row[section] = True
    for section in range(sections):
        column = is_playing[:, section]
        for number in rng.permutation(count):
            if column.sum() < 2:
                column[number] = True
    return is_playing


def _perform(
    rng: np.random.Generator,
    notes: list[Note],
    channel: int,
    tempo: int,
    swing: float,
    seconds: float,
) -> list[Event]:
    """Notes in beats to events in seconds, with swing and random timing and loudness."""
    feel = rng.normal(0.0, 0.004)  # seconds ahead of or behind the beat
    loudness = rng.normal(0.0, 4.0)
    timed = []
    for note in notes:
        is_offbeat = abs(note.start % 0.5 - 0.25) < 0.01
        start = (note.start + (swing * 0.5 if is_offbeat else 0.0)) * 60 / tempo
        start = max(0.0, start + feel + rng.normal(0.0, 0.004))
        velocity = round(note.velocity + loudness + rng.normal(0.0, 6.0))
        end = min(start + note.length * 60 / tempo, seconds)
        if start < seconds - 0.25:
            timed.append((start, end, note.pitch, min(max(velocity, 20), 127)))
    timed.sort()
    following: dict[int, float] = {}
    out = []
    for start, end, pitch, velocity in reversed(timed):
        # A note ends before its pitch starts again, else its end would cut the new note.
        end = min(end, following.get(pitch, seconds))
        following[pitch] = start
        if end > start:
            out.append(Event(start, Kind.ON, channel, pitch, velocity))
            out.append(Event(end, Kind.OFF, channel, pitch))
    return out

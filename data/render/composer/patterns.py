"""Notes of each role: a phrase drawn once per song and applied to its bars.

All functions take (rng, bars, centre, split) and return notes in beats from the song's
start.  Lines are strings of sixteenths such as "x...o...": x accented, o softer.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.data.render.composer.harmony import Chord, Split, nearest, voice
from stemjax.data.render.composer.instruments import Role
from stemjax.data.render.composer.lines import Line, draw_phrase, split_of_line

STEPS = 4
"""Sixteenths per beat."""


class Note(NamedTuple):
    """A note; start and length in beats, velocity 1..127."""

    start: float
    length: float
    pitch: int
    velocity: int


class Bar(NamedTuple):
    """A bar in which a part plays."""

    number: int
    """Counted from the song's start."""
    start: float
    """In beats."""
    chords: tuple[Chord, ...]
    """One per beat."""
    scale: tuple[int, ...]
    """Pitch classes."""
    is_section_start: bool
    is_section_end: bool

    @property
    def steps(self) -> int:
        """Sixteenths in the bar."""
        return STEPS * len(self.chords)


# kick, snare, closed hat, open hat or ride
_GROOVES = (
    ("x.......x.o.....", "....x.......x...", "x.o.x.o.x.o.x.o.", ""),
    ("x.....x.x.......", "....x.......x..o", "xoxoxoxoxoxoxoxo", ""),
    ("x...x...x...x...", "....x.......x...", "", "..x...x...x...x."),
    ("x.........x.....", "........x.......", "x...o...x...o...", ""),
    ("x..o..x...x..o..", "....x..o.o..x...", "x.o.x.o.x.o.x.o.", ""),
    ("x..x..x.x..x..x.", "......x.......x.", "xoxoxoxoxoxoxoxo", ""),
    ("x.x.....x.x.....", "....x.......x...", "", "x...x...x...x..."),
    ("x.....x...x.....", "....x.......x.o.", "", "x.o.x.o.x.o.x.o."),
)
_KITS = (0, 8, 16, 24, 25, 32, 40)
_KICK, _SNARE, _RIM, _CLOSED, _OPEN, _RIDE, _CRASH = 36, 38, 37, 42, 46, 51, 49
_TOMS = (50, 48, 45, 43)

_BASS_LINES = (  # digits: 0 root, 5 fifth, 8 octave, 3 third
    "0...0...0...0...",
    "0.0.0.0.0.0.0.0.",
    "0.....0.5...0...",
    "0..0..0.0..0..5.",
    "0...5...8...5...",
    "0.8.0.8.0.8.0.8.",
    "0.......5.......",
    "0...3...5...8...",
    "0.00..0.0.00..5.",
)
_COMPS = (
    "x...x...x...x...",
    "x.o.x.o.x.o.x.o.",
    "x..x..x...x..x..",
    "..x...x...x...x.",
    "x.....x...x.....",
    "x..x...x..x.....",
    "x.......x.......",
    "x.oox.oox.oox.oo",
)
_STABS = (
    "..............x.",
    "x..x............",
    "......x.....x...",
    "....x.......x..o",
    "x.....x.........",
    "..x..x..x.......",
)
_OSTINATOS = (
    "x...o...x...o...",
    "x..x..x.x..x..x.",
    "..x...x...x.o.x.",
    "x.......o.o.....",
    "x.oox.oox.oox.oo",
)
_CELLS = ("x...", "x.x.", "..x.", "x..x", "x.xx", "....", "xx..", "x...", "x.x.")


def kit(rng: np.random.Generator) -> int:
    """A drum kit (program of channel 10)."""
    return int(_KITS[rng.integers(len(_KITS))])


def drums(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """A groove with a crash at the start and a fill at the end of sections."""
    phrase = draw_phrase(rng, _GROOVES, split, bars[0].steps)
    snare_note = _SNARE if rng.random() < 0.8 else _RIM
    ride = _RIDE if rng.random() < 0.5 else _OPEN
    voices = (_KICK, snare_note, _CLOSED, ride)
    fill = _fill(rng)
    out = []
    for bar in bars:
        fill_from = bar.steps - len(fill) if bar.is_section_end else bar.steps
        for pitch, line in zip(voices, _line(phrase, bar), strict=True):
            for step, velocity in _hits(line, min(fill_from, bar.steps)):
                out.append(Note(_at(bar, step), 0.25, pitch, velocity))
        if bar.is_section_start:
            out.append(Note(bar.start, 1.0, _CRASH, 100))
        if bar.is_section_end:
            for offset, pitch in enumerate(fill):
                if pitch:
                    velocity = 80 + 4 * offset
                    out.append(
                        Note(_at(bar, fill_from + offset), 0.25, pitch, velocity)
                    )
    return out


def _fill(rng: np.random.Generator) -> list[int]:
    length = int(rng.choice((4, 8)))
    descent = np.linspace(0, len(_TOMS) - 1, length).round().astype(int)
    return [_TOMS[tom] if rng.random() < 0.8 else 0 for tom in descent]


def bass(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """Roots, fifths and octaves under the chords."""
    phrase = draw_phrase(rng, _single(_BASS_LINES), split, bars[0].steps, "0058")
    hold = rng.uniform(0.6, 0.98)
    out = []
    for bar in bars:
        (line,) = _line(phrase, bar)
        steps = [step for step in range(bar.steps) if line[step] != "."]
        for step, end in zip(steps, [*steps[1:], bar.steps], strict=True):
            chord = bar.chords[step // STEPS]
            root = nearest(chord.root, centre)
            third = (chord.tones[1] - chord.root) % 12
            pitch = root + {"0": 0, "8": 12, "5": 7, "3": third}[line[step]]
            is_strong = step % STEPS == 0
            out.append(
                Note(
                    _at(bar, step),
                    (end - step) / STEPS * hold,
                    pitch,
                    96 if is_strong else 84,
                )
            )
    return out


def comp(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """Chords in a steady rhythm."""
    phrase = draw_phrase(rng, _single(_COMPS), split, bars[0].steps)
    return _chords(rng, bars, centre, phrase, rng.uniform(0.4, 0.95))


def stab(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """A few short chords per bar."""
    phrase = draw_phrase(rng, _single(_STABS), split, bars[0].steps)
    return _chords(rng, bars, centre, phrase, 0.25, longest=0.5)


def _chords(rng, bars, centre, phrase, hold, longest=4.0) -> list[Note]:
    lift = int(rng.integers(-3, 4))
    out, previous = [], ()
    for bar in bars:
        (line,) = _line(phrase, bar)
        hits = _hits(line, bar.steps)
        ends = [step for step, _ in hits[1:]] + [bar.steps]
        for (step, velocity), end in zip(hits, ends, strict=True):
            previous = voice(bar.chords[step // STEPS], centre + lift, previous)
            length = min((end - step) / STEPS * hold, longest)
            out += [Note(_at(bar, step), length, p, velocity - 8) for p in previous]
    return out


def pad(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """Held chords."""
    lift = int(rng.integers(-4, 5))
    out, previous = [], ()
    for bar in bars:
        for start, end in _changes(bar.chords):
            previous = voice(bar.chords[start], centre + lift, previous)
            out += [
                Note(bar.start + start, (end - start) * 0.98, p, 72) for p in previous
            ]
    return out


def arp(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """Notes of the chord one after another, over one or two octaves."""
    stride = int(rng.choice((1, 2, 2)))  # sixteenths or eighths
    octaves = int(rng.integers(1, 3))
    shape = int(rng.integers(4))
    shuffled = rng.permutation(16)
    out = []
    for bar in bars:
        for step in range(0, bar.steps, stride):
            low = voice(bar.chords[step // STEPS], centre - 4 * octaves)
            ladder = [p + 12 * octave for octave in range(octaves) for p in low]
            walk = {
                0: ladder,
                1: ladder[::-1],
                2: ladder + ladder[-2:0:-1],
                3: [ladder[i % len(ladder)] for i in shuffled],
            }[shape]
            pitch = walk[step // stride % len(walk)]
            velocity = 88 if step % STEPS == 0 else 74
            out.append(Note(_at(bar, step), stride / STEPS * 0.9, pitch, velocity))
    return out


def lead(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """A melody of two motifs: chord tones on the beat, scale tones between."""
    motifs = [_motif(rng, split, bars[0].steps) for _ in range(2)]
    plan = _pick(rng, ((0, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (0, 1, 1, 0)))
    hold = rng.uniform(0.7, 0.98)
    out, pitch = [], centre
    for bar in bars:
        rhythm, moves = motifs[plan[bar.number % 4]]
        steps = [step for step in range(bar.steps) if rhythm[step] == "x"]
        for count, (step, end) in enumerate(
            zip(steps, [*steps[1:], bar.steps], strict=True)
        ):
            aim = pitch + moves[count % len(moves)]
            aim -= round((aim - centre) / 3) if abs(aim - centre) > 9 else 0
            chord = bar.chords[step // STEPS]
            tones = chord.tones if step % STEPS == 0 else bar.scale
            pitch = min((nearest(t, aim) for t in tones), key=lambda p: abs(p - aim))
            velocity = 98 if step % STEPS == 0 else 86
            out.append(
                Note(_at(bar, step), (end - step) / STEPS * hold, pitch, velocity)
            )
    return out


def _motif(rng: np.random.Generator, split: Split, steps: int) -> tuple[str, list[int]]:
    """Rhythm of a bar and the moves of the melody, in semitones."""
    while True:
        rhythm = "".join(_pick(rng, _CELLS) for _ in range(steps // STEPS))
        if "x" in rhythm and split_of_line((rhythm,)) is split:
            break
    return rhythm, [int(m) for m in rng.choice((-5, -3, -2, -1, 1, 2, 3, 5, 7), 12)]


def ostinato(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """The same rhythm of a low and a high pitch in every bar."""
    phrase = draw_phrase(rng, _single(_OSTINATOS), split, bars[0].steps)
    low = centre + int(rng.integers(-5, 3))
    high = low + int(rng.choice((3, 5, 7)))
    return [
        Note(_at(bar, step), 0.25, low if velocity > 90 else high, velocity)
        for bar in bars
        for step, velocity in _hits(_line(phrase, bar)[0], bar.steps)
    ]


def effect(
    rng: np.random.Generator, bars: Sequence[Bar], centre: int, split: Split
) -> list[Note]:
    """A long sound on a fixed beat of every bar."""
    pitch = centre + int(rng.integers(-7, 8))
    beat = int(rng.integers(2))
    return [
        Note(bar.start + beat, len(bar.chords) - beat - 0.5, pitch, 90) for bar in bars
    ]


Play = Callable[[np.random.Generator, Sequence[Bar], int, Split], list[Note]]
"""Plays a part: (rng, bars, centre, split) to notes."""
PLAY: dict[Role, Play] = {
    Role.DRUMS: drums,
    Role.BASS: bass,
    Role.COMP: comp,
    Role.PAD: pad,
    Role.LEAD: lead,
    Role.ARP: arp,
    Role.STAB: stab,
    Role.OSTINATO: ostinato,
    Role.EFFECT: effect,
}


def _pick(rng: np.random.Generator, options: Sequence):
    return options[rng.integers(len(options))]


def _single(lines: Sequence[str]) -> list[Line]:
    """Lines of one voice."""
    return [(line,) for line in lines]


def _line(phrase: Sequence[Line], bar: Bar) -> Line:
    """Line of a phrase in a bar."""
    return phrase[bar.number % len(phrase)]


def _at(bar: Bar, step: int) -> float:
    return bar.start + step / STEPS


def _hits(line: str, steps: int) -> list[tuple[int, int]]:
    """(step, velocity) of a pattern's notes within a bar."""
    velocity = {"x": 100, "o": 70}
    return [(i, velocity[c]) for i, c in enumerate(line[:steps]) if c != "."]


def _changes(chords: Sequence[Chord]) -> Iterator[tuple[int, int]]:
    """(first, last + 1) beats of each run of one chord."""
    start = 0
    for beat in range(1, len(chords) + 1):
        if beat == len(chords) or chords[beat] != chords[start]:
            yield start, beat
            start = beat

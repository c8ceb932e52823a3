"""What each role plays: a pattern drawn once a song, then carried through its bars.

All functions take (rng, bars, centre) and return notes in beats from the song's start.
Patterns are written on sixteenths, as in "x...x...": x an accent, o a softer note.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.data.render.harmony import Chord, nearest, voice
from stemjax.data.render.instruments import Role

STEPS = 4  # sixteenths a beat


class Note(NamedTuple):
    """A note; start and length in beats, velocity 1..127."""

    start: float
    length: float
    pitch: int
    velocity: int


class Bar(NamedTuple):
    """A bar in which a part plays."""

    number: int  # from the song's start
    start: float  # beats
    chords: tuple[Chord, ...]  # one a beat
    scale: tuple[int, ...]  # pitch classes
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


def drums(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """A groove, with a crash where sections start and a fill where they end."""
    kick, snare, closed, opened = _pick(rng, _GROOVES)
    snare_note = _SNARE if rng.random() < 0.8 else _RIM
    ride = _RIDE if rng.random() < 0.5 else _OPEN
    lines = ((_KICK, kick), (snare_note, snare), (_CLOSED, closed), (ride, opened))
    fill = _fill(rng)
    out = []
    for bar in bars:
        fill_from = bar.steps - len(fill) if bar.is_section_end else bar.steps
        for pitch, line in lines:
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


def bass(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """Roots, fifths and octaves under the chords."""
    line = _pick(rng, _BASS_LINES)
    hold = rng.uniform(0.6, 0.98)
    out = []
    for bar in bars:
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


def comp(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """Chords in a steady rhythm."""
    return _chords(rng, bars, centre, _pick(rng, _COMPS), rng.uniform(0.4, 0.95))


def stab(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """Short chords, a few a bar."""
    fitting = [line for line in _STABS if _hits(line, bars[0].steps)]  # in 3/4 not all
    return _chords(rng, bars, centre, _pick(rng, fitting), 0.25, longest=0.5)


def _chords(rng, bars, centre, line, hold, longest=4.0) -> list[Note]:
    lift = int(rng.integers(-3, 4))
    out, previous = [], ()
    for bar in bars:
        hits = _hits(line, bar.steps)
        ends = [step for step, _ in hits[1:]] + [bar.steps]
        for (step, velocity), end in zip(hits, ends, strict=True):
            previous = voice(bar.chords[step // STEPS], centre + lift, previous)
            length = min((end - step) / STEPS * hold, longest)
            out += [Note(_at(bar, step), length, p, velocity - 8) for p in previous]
    return out


def pad(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """Chords held for as long as they last."""
    lift = int(rng.integers(-4, 5))
    out, previous = [], ()
    for bar in bars:
        for start, end in _changes(bar.chords):
            previous = voice(bar.chords[start], centre + lift, previous)
            out += [
                Note(bar.start + start, (end - start) * 0.98, p, 72) for p in previous
            ]
    return out


def arp(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """The chord's notes one after another, over one or two octaves."""
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


def lead(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """A melody of two motifs: chord tones on the beat, steps of the scale between."""
    motifs = [_motif(rng) for _ in range(2)]
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


def _motif(rng: np.random.Generator) -> tuple[str, list[int]]:
    rhythm = "".join(_pick(rng, _CELLS) for _ in range(4))
    rhythm = rhythm if "x" in rhythm[:12] else "x..." + rhythm[4:]
    return rhythm, [int(m) for m in rng.choice((-5, -3, -2, -1, 1, 2, 3, 5, 7), 12)]


def ostinato(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """A rhythm on a low and a high pitch, the same in every bar."""
    line = _pick(rng, _OSTINATOS)
    low = centre + int(rng.integers(-5, 3))
    high = low + int(rng.choice((3, 5, 7)))
    return [
        Note(_at(bar, step), 0.25, low if velocity > 90 else high, velocity)
        for bar in bars
        for step, velocity in _hits(line, bar.steps)
    ]


def effect(rng: np.random.Generator, bars: Sequence[Bar], centre: int) -> list[Note]:
    """A long sound on a fixed beat of every bar."""
    pitch = centre + int(rng.integers(-7, 8))
    beat = int(rng.integers(2))
    return [
        Note(bar.start + beat, len(bar.chords) - beat - 0.5, pitch, 90) for bar in bars
    ]


PLAY: dict[Role, Callable[[np.random.Generator, Sequence[Bar], int], list[Note]]] = {
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

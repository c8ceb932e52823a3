"""Keys, chord loops and tempi of the composer.

Train, validation and test songs share neither tempo nor chord loop: the last digit of a
tempo and the checksum of a loop determine the split that may use it.
"""

import enum
import zlib
from typing import NamedTuple

import numpy as np


class Split(enum.StrEnum):
    """A split of the data set."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Mode(enum.Enum):
    """A scale, in semitones above the tonic."""

    MAJOR = (0, 2, 4, 5, 7, 9, 11)
    MINOR = (0, 2, 3, 5, 7, 8, 10)


class Triad(NamedTuple):
    """A chord of a loop, relative to the tonic."""

    root: int
    """Semitones above the tonic, 0..11."""
    is_minor: bool


Loop = tuple[Triad, ...]


class Chord(NamedTuple):
    """A chord as pitch classes 0..11, root first."""

    tones: tuple[int, ...]

    @property
    def root(self) -> int:
        """Pitch class of the bass."""
        return self.tones[0]


# Weights of the degrees in a loop; bVII in major and V in minor are borrowed.
_DEGREES = {
    Mode.MAJOR: {
        Triad(0, False): 4.0,
        Triad(2, True): 2.0,
        Triad(4, True): 1.5,
        Triad(5, False): 4.0,
        Triad(7, False): 4.0,
        Triad(9, True): 3.0,
        Triad(10, False): 1.0,
    },
    Mode.MINOR: {
        Triad(0, True): 4.0,
        Triad(3, False): 3.0,
        Triad(5, True): 3.0,
        Triad(7, True): 1.5,
        Triad(7, False): 1.5,
        Triad(8, False): 3.5,
        Triad(10, False): 3.5,
    },
}
_LENGTHS = (4, 4, 4, 4, 5, 6, 8, 8)
# Less than a factor of two: no tempo is the double of another.
_TEMPI = range(84, 168)
_TEMPO_DIGIT = {3: Split.VALIDATION, 7: Split.TEST}
_LOOP_BUCKET = {0: Split.VALIDATION, 1: Split.TEST}  # of 10; others train


def tempi_of(split: Split) -> list[int]:
    """Tempi in beats per minute of the songs of a split."""
    return [bpm for bpm in _TEMPI if _TEMPO_DIGIT.get(bpm % 10, Split.TRAIN) is split]


def fingerprint(loop: Loop) -> Loop:
    """Canonical form of all loops with the same progression.

    Independent of key, mode (C Am F G in C major is III i VI VII of A minor), first chord
    and repetition.
    """
    size = len(loop)
    period = next(
        p
        for p in range(1, size + 1)
        if size % p == 0 and loop[:p] * (size // p) == loop
    )
    rotations = [loop[i:period] + loop[:i] for i in range(period)]
    return min(
        tuple(Triad((c.root - turn[0].root) % 12, c.is_minor) for c in turn)
        for turn in rotations
    )


def split_of_loop(loop: Loop) -> Split:
    """The only split that may use a progression."""
    text = ",".join(f"{root}{'m' * minor}" for root, minor in fingerprint(loop))
    return _LOOP_BUCKET.get(zlib.crc32(text.encode()) % 10, Split.TRAIN)


def draw_loop(rng: np.random.Generator, mode: Mode, split: Split) -> Loop:
    """A loop of 4 to 8 chords, at least three of them distinct, that `split` may use."""
    while True:
        loop = _random_loop(rng, mode)
        if split_of_loop(loop) is split:
            return loop


def _random_loop(rng: np.random.Generator, mode: Mode) -> Loop:
    degrees = list(_DEGREES[mode])
    weights = np.array(list(_DEGREES[mode].values()))
    size = int(rng.choice(_LENGTHS))
    while True:
        first = 0 if rng.random() < 0.7 else int(rng.integers(len(degrees)))
        picks = [first]
        for _ in range(size - 1):
            odds = np.where(np.arange(len(degrees)) == picks[-1], 0.0, weights)
            picks.append(int(rng.choice(len(degrees), p=odds / odds.sum())))
        if picks[-1] != picks[0] and len(set(picks)) >= 3:
            return tuple(degrees[pick] for pick in picks)


def colour(
    rng: np.random.Generator, triad: Triad, tonic: int, richness: float
) -> Chord:
    """A triad in the key of `tonic`, sometimes with a seventh, ninth or suspended fourth.

    richness: probability of such a colour, 0 to 1.
    """
    intervals = [0, 3 if triad.is_minor else 4, 7]
    if rng.random() < richness:
        if triad.is_minor:
            intervals.append(10)
        elif triad.root == 7:
            intervals.append(10)
        elif rng.random() < 0.3:
            intervals[1] = 5
        else:
            intervals.append(11 if triad.root in (0, 5, 8, 3) else 14)
    return Chord(tuple((tonic + triad.root + step) % 12 for step in intervals))


def voice(chord: Chord, centre: int, previous: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Pitches of a chord around MIDI note `centre`, close to the pitches `previous`."""
    size = len(chord.tones)
    options = []
    for turn in range(size):
        tones = chord.tones[turn:] + chord.tones[:turn]
        pitches = [nearest(tones[0], centre - 6)]
        for tone in tones[1:]:
            pitches.append(pitches[-1] + (tone - pitches[-1]) % 12)
        options.append(tuple(pitches))
    aim = sum(previous) / len(previous) if previous else centre

    def cost(pitches: tuple[int, ...]) -> float:
        return abs(sum(pitches) / len(pitches) - (aim + centre) / 2)

    return min(options, key=cost)


def nearest(pitch_class: int, pitch: int) -> int:
    """The note of `pitch_class` nearest to MIDI note `pitch`."""
    return pitch + (pitch_class - pitch + 6) % 12 - 6

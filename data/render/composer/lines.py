"""Rhythms of one bar, variations of them, and the splits that may use them.

A line holds a string of sixteenths for each voice, such as ("x...o...",).  Train,
validation and test songs share no line: its checksum determines its split.  The lines of a
song are variations of a few common ones, so that there are thousands of them.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from stemjax.data.render.composer.harmony import Split

Line = tuple[str, ...]
"""A string for each voice; "." is a rest."""

_SPLIT_BUCKET = {0: Split.VALIDATION, 1: Split.TEST}  # of 10; others train
_SIZES = (1, 1, 2, 4)  # bars of a phrase
_MOST_EDITS = 3  # of a voice
_SHIFTS = (-2, -1, 1, 2)  # sixteenths


def split_of_line(line: Line) -> Split:
    """The only split that may use a line."""
    return _SPLIT_BUCKET.get(zlib.crc32("|".join(line).encode()) % 10, Split.TRAIN)


def draw_phrase(
    rng: np.random.Generator,
    common: Sequence[Line],
    split: Split,
    steps: int,
    symbols: str = "xo",
) -> tuple[Line, ...]:
    """One, two or four bars near a common line, each of which `split` may use.

    Args:
      common: lines of 16 sixteenths, longer than `steps` or equal; cut to it.
      steps: sixteenths of a bar.
      symbols: notes that a variation may use.
    """
    cut = [tuple(voice[:steps] for voice in line) for line in common]
    cut = [line for line in cut if any(set(voice) - {"."} for voice in line)]
    first = _draw_line(rng, cut, split, symbols)
    size = int(rng.choice(_SIZES))
    if size == 1:
        return (first,)
    other = _draw_line(rng, [first], split, symbols)
    return (first, other) if size == 2 else (first, first, first, other)


def _draw_line(
    rng: np.random.Generator, common: Sequence[Line], split: Split, symbols: str
) -> Line:
    while True:
        line = common[rng.integers(len(common))]
        line = tuple(_vary(rng, voice, symbols) for voice in line)
        if split_of_line(line) is split:
            return line


def _vary(rng: np.random.Generator, voice: str, symbols: str) -> str:
    """A voice with up to three notes moved, added, dropped or changed.

    A note on the first beat stays, a voice without notes stays so, and no other voice
    loses its last note.
    """
    notes = list(voice)
    if not set(notes) - {"."}:
        return voice
    for _ in range(int(rng.integers(_MOST_EDITS + 1))):
        step = int(rng.integers(1, len(notes)))
        symbol = symbols[rng.integers(len(symbols))]
        if notes[step] == ".":
            notes[step] = symbol
            continue
        match rng.integers(3):
            case 0:
                to = step + int(rng.choice(_SHIFTS))
                if 0 < to < len(notes) and notes[to] == ".":
                    notes[step], notes[to] = ".", notes[step]
            case 1 if len(notes) - notes.count(".") > 1:
                notes[step] = "."
            case _:
                notes[step] = symbol
    return "".join(notes)

"""Labels of keys and chords as mir_eval writes them (Harte et al. 2005), as numbers.

Chords are reduced to the triad of their third: kinds with a major third to major, with a
minor third, diminished ones too, to minor.  Suspended and augmented chords and those
without a third count as no chord; inversions and added degrees do not matter.
"""

import re
from typing import Any

from stemjax.analysis.analysis import NO_CHORD, NO_KEY

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ROOT = r"([A-G])([b#]*)"
_KEY = re.compile(_ROOT + r"[: ](maj|min)(?:or)?")
_CHORD = re.compile(_ROOT + r"(?::([^(/]*))?(?:\(([^()]*)\))?(?:/[b#]*\d+)?")
_MAJOR, _MINOR = 0, 12
_THIRDS: dict[str, int | None] = (
    dict.fromkeys(("", "maj", "maj7", "maj6", "6", "7", "9", "b9", "#9", "11"), _MAJOR)
    | dict.fromkeys(("#11", "13", "b13", "maj9", "maj11", "maj13"), _MAJOR)
    | dict.fromkeys(("min", "min7", "minmaj7", "min6", "min9"), _MINOR)
    | dict.fromkeys(("min11", "min13", "dim", "dim7", "hdim7", "hdim"), _MINOR)
    | dict.fromkeys(("aug", "aug7", "sus2", "sus4", "sus", "7sus4", "1", "5"))
)
"""What a shorthand's third adds to the root; None: no third, or no triad near."""
_AUGMENTED = ("aug", "aug7")
_OMITTED = {_MAJOR: "*3", _MINOR: "*b3"}


def parse_chord(label: Any) -> int:
    """A chord label of mir_eval: 0-11 major on C, C#, ..., 12-23 minor, `NO_CHORD`.

    Raises:
      ValueError: no such label.
    """
    if label in ("N", "X"):
        return NO_CHORD
    found = _CHORD.fullmatch(label) if isinstance(label, str) else None
    kind, degrees = (found[3], found[4]) if found else (None, None)
    if not found or (kind or "") not in _THIRDS or (kind == "" and degrees is None):
        raise ValueError(f"{label!r} is no chord such as C:maj, A:min7, G:7/3 or N")
    listed = {d.strip() for d in (degrees or "").split(",")}
    third = None if kind == "" else _THIRDS[kind or ""]  # G:(1,3,5) names its degrees
    if kind in _AUGMENTED or (third is not None and _OMITTED[third] in listed):
        third = None
    if third is None and kind not in _AUGMENTED:
        third = _MAJOR if "3" in listed else _MINOR if "b3" in listed else None
    elif third == _MINOR and "3" in listed:
        third = _MAJOR
    return NO_CHORD if third is None else third + _pitch_class(found[1], found[2])


def parse_key(label: Any) -> int:
    """A key: 0-11 major on C, C#, ..., 12-23 minor, `NO_KEY` for "N".

    Raises:
      ValueError: no such key.
    """
    if label == "N":
        return NO_KEY
    found = _KEY.fullmatch(label) if isinstance(label, str) else None
    if not found:
        raise ValueError(f"{label!r} is no key such as C:maj, A:min or N")
    offset = _MAJOR if found[3] == "maj" else _MINOR
    return offset + _pitch_class(found[1], found[2])


def key_label(key: int) -> str:
    """Inverse of `parse_key`, with sharps: "C:maj", "F#:min", "N"."""
    if key == NO_KEY:
        return "N"
    names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    return f"{names[key % 12]}:{'maj' if key < _MINOR else 'min'}"


def _pitch_class(letter: str, accidentals: str) -> int:
    moved = accidentals.count("#") - accidentals.count("b")
    return (_STEPS[letter] + moved) % 12

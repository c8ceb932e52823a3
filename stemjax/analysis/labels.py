"""Conversion of mir_eval's labels of keys and chords (Harte et al. 2005) to numbers.

Chords are reduced to triads by their third: chords with a major third to major, chords
with a minor third (including diminished ones) to minor.  Suspended and augmented chords
and chords without a third become no chord; inversions and added degrees are ignored.
"""

import re
from typing import Any

from stemjax.analysis.records import NO_CHORD, NO_KEY

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
"""Offset from the root's number by the third of each shorthand; None: no chord."""
_AUGMENTED = ("aug", "aug7")
_OMITTED = {_MAJOR: "*3", _MINOR: "*b3"}


def parse_chord(label: Any) -> int:
    """Convert a chord label: 0-11 major on C, C#, ..., 12-23 minor, `NO_CHORD`.

    Raises:
      ValueError: not a label of mir_eval.
    """
    if label in ("N", "X"):
        return NO_CHORD
    match = _CHORD.fullmatch(label) if isinstance(label, str) else None
    kind, degrees = (match[3], match[4]) if match else (None, None)
    if not match or (kind or "") not in _THIRDS or (kind == "" and degrees is None):
        raise ValueError(f"{label!r} is not a chord such as C:maj, A:min7, G:7/3 or N")
    listed = {d.strip() for d in (degrees or "").split(",")}
    third = None if kind == "" else _THIRDS[kind or ""]  # G:(1,3,5) names its degrees
    if kind in _AUGMENTED or (third is not None and _OMITTED[third] in listed):
        third = None
    if third is None and kind not in _AUGMENTED:
        third = _MAJOR if "3" in listed else _MINOR if "b3" in listed else None
    elif third == _MINOR and "3" in listed:
        third = _MAJOR
    return NO_CHORD if third is None else third + _pitch_class(match[1], match[2])


def parse_key(label: Any) -> int:
    """Convert a key: 0-11 major on C, C#, ..., 12-23 minor, `NO_KEY` for "N".

    Raises:
      ValueError: not a key.
    """
    if label == "N":
        return NO_KEY
    match = _KEY.fullmatch(label) if isinstance(label, str) else None
    if not match:
        raise ValueError(f"{label!r} is not a key such as C:maj, A:min or N")
    offset = _MAJOR if match[3] == "maj" else _MINOR
    return offset + _pitch_class(match[1], match[2])


def key_label(key: int) -> str:
    """Inverse of `parse_key`, with sharps: "C:maj", "F#:min", "N"."""
    if key == NO_KEY:
        return "N"
    names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    return f"{names[key % 12]}:{'maj' if key < _MINOR else 'min'}"


def _pitch_class(letter: str, accidentals: str) -> int:
    moved = accidentals.count("#") - accidentals.count("b")
    return (_STEPS[letter] + moved) % 12

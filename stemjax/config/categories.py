"""Table of the 18 instrument categories (StemGen, sec. 3).

The paper has "18 General MIDI instrument categories", but General MIDI has 16 families.
Here they are the 16 families in GM order, drums and voice (Assumption A20).  Index 18 is
the null condition of guidance; data never contains it.
"""

import re

CATEGORIES: tuple[str, ...] = (
    "piano",
    "chromatic-percussion",
    "organ",
    "guitar",
    "bass",
    "strings",
    "ensemble",
    "brass",
    "reed",
    "pipe",
    "synth-lead",
    "synth-pad",
    "synth-effects",
    "ethnic",
    "percussive",
    "sound-effects",
    "drums",
    "voice",
)
UNKNOWN = -1  # a stem of unknown category can be context but never target
DRUMS = CATEGORIES.index("drums")
VOICE = CATEGORIES.index("voice")

ALIASES: dict[str, str] = {
    "vocals": "voice",
    "percussion": "percussive",
    "keys": "piano",
    "synth": "synth-lead",
    "woodwind": "reed",
}


def category_of(name: str) -> int:
    """Index of a category name.

    Case is ignored, underscores and spaces equal hyphens, and `ALIASES` apply.

    Raises:
      ValueError: unknown name; the message lists all categories.
    """
    category = re.sub(r"[\s_]+", "-", name.strip().lower())
    category = ALIASES.get(category, category)
    if category not in CATEGORIES:
        raise ValueError(
            f"unknown instrument {name!r}: choose one of {', '.join(CATEGORIES)}"
        )
    return CATEGORIES.index(category)


def category_of_program(program: int, *, is_drum: bool = False) -> int:
    """Category of a General MIDI program number, 0 to 127; 128 is Slakh's drums.

    Program 119 (Reverse Cymbal) is percussive as in GM; Slakh's labels call it a sound
    effect (Assumption A20).

    Raises:
      ValueError: the number is not within 0..128.
    """
    if is_drum or program == 128:
        return DRUMS
    if not 0 <= program <= 127:
        raise ValueError(f"MIDI program must be 0..128, got {program}")
    return program // 8

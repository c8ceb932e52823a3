"""The 18 instrument categories (StemGen, sec. 3): the one home of the table.

The paper speaks of "18 General MIDI instrument categories"; General MIDI has 16
families.  Our reading (Assumption A20): the 16 families in GM order, drums, voice.
Index 18 is the null of guidance: it is never stored with data.
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
UNKNOWN = -1  # a stem of unknown category may be context, never target
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
    """Index of a category name as typed by a person.

    Case-insensitive; underscores and spaces equal hyphens; `ALIASES` apply.

    Raises:
      ValueError: unknown name; the message lists all categories.
    """
    plain = re.sub(r"[\s_]+", "-", name.strip().lower())
    plain = ALIASES.get(plain, plain)
    if plain not in CATEGORIES:
        raise ValueError(
            f"unknown instrument {name!r}: choose one of {', '.join(CATEGORIES)}"
        )
    return CATEGORIES.index(plain)


def category_of_program(program: int, *, is_drum: bool = False) -> int:
    """Category of a General MIDI program number, 0 to 127 (128 = Slakh's drums).

    GM puts 119 (Reverse Cymbal) in Percussive; Slakh's strings put it in Sound
    effects.  We follow GM (Assumption A20).
    """
    if is_drum or program == 128:
        return DRUMS
    if not 0 <= program <= 127:
        raise ValueError(f"MIDI program must be 0..128, got {program}")
    return program // 8

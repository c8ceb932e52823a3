"""General MIDI programs, roles and registers of the composer's parts."""

import enum
from typing import NamedTuple

import numpy as np

from stemjax.config.categories import CATEGORIES, DRUMS, VOICE

BASS = CATEGORIES.index("bass")


class Role(enum.Enum):
    """Function of a part in a song."""

    DRUMS = "drums"
    BASS = "bass"
    COMP = "comp"
    """Rhythmic chords."""
    PAD = "pad"
    """Held chords."""
    LEAD = "lead"
    ARP = "arp"
    """Broken chords."""
    STAB = "stab"
    """Short chords off the beat."""
    OSTINATO = "ostinato"
    """A repeated rhythm on two pitches."""
    EFFECT = "effect"
    """A long sound in every bar."""


class Family(NamedTuple):
    """Use of a category of instruments."""

    programs: tuple[int, ...]
    roles: tuple[Role, ...]
    centre: int
    """MIDI note in the middle of its register."""
    weight: float
    """Relative frequency."""


_EIGHT = tuple(range(8))


def _family(category: str, roles, centre, weight, offsets=_EIGHT) -> tuple[int, Family]:
    number = CATEGORIES.index(category)
    programs = tuple(8 * number + offset for offset in offsets)
    return number, Family(programs, roles, centre, weight)


# Left out because of a narrow range or no pitch: 47 timpani, 55 orchestra hit,
# 119 reverse cymbal (too faint in TimGM6mb).
FAMILIES: dict[int, Family] = dict(
    [
        _family("piano", (Role.COMP, Role.COMP, Role.ARP, Role.LEAD), 62, 2.5),
        _family("chromatic-percussion", (Role.ARP, Role.LEAD), 76, 1.0),
        _family("organ", (Role.COMP, Role.PAD, Role.LEAD), 62, 1.0),
        _family("guitar", (Role.COMP, Role.COMP, Role.ARP, Role.LEAD), 58, 2.5),
        _family("bass", (Role.BASS,), 38, 0.3),
        _family("strings", (Role.PAD, Role.LEAD, Role.ARP), 64, 1.0, range(7)),
        _family("ensemble", (Role.PAD,), 62, 1.5, range(7)),
        _family("brass", (Role.STAB, Role.LEAD, Role.PAD), 60, 1.0),
        _family("reed", (Role.LEAD,), 64, 1.0),
        _family("pipe", (Role.LEAD, Role.ARP), 74, 1.0),
        _family("synth-lead", (Role.LEAD, Role.ARP, Role.STAB), 68, 1.2),
        _family("synth-pad", (Role.PAD,), 62, 1.2),
        _family("synth-effects", (Role.PAD, Role.ARP), 64, 0.8),
        _family("ethnic", (Role.ARP, Role.LEAD, Role.COMP), 64, 0.8),
        _family("percussive", (Role.OSTINATO,), 62, 0.8, range(7)),
        _family("sound-effects", (Role.EFFECT,), 60, 0.6),
    ]
)
FEATURED = tuple(c for c in range(len(CATEGORIES)) if c not in (BASS, DRUMS, VOICE))
"""Categories of which each song has one in turn; drums and bass are common anyway."""


class Part(NamedTuple):
    """One part of a song."""

    program: int
    """128 for drums."""
    role: Role
    centre: int


def draw_parts(rng: np.random.Generator, featured: int) -> list[Part]:
    """4 to 9 parts with distinct programs, one of them of the category `featured`."""
    count = int(rng.integers(4, 10))
    parts = [_draw_part(rng, featured, set())]
    if rng.random() < 0.93:
        parts.append(Part(128, Role.DRUMS, 0))
    if rng.random() < 0.93:
        parts.append(_draw_part(rng, BASS, set()))
    numbers = list(FAMILIES)
    weights = np.array([FAMILIES[number].weight for number in numbers])
    while len(parts) < count:
        number = numbers[rng.choice(len(numbers), p=weights / weights.sum())]
        taken = {part.program for part in parts}
        is_second_bass = number == BASS and any(p.role is Role.BASS for p in parts)
        if not is_second_bass:
            parts.append(_draw_part(rng, number, taken))
        weights[numbers.index(number)] *= 0.3  # a second part of a category is rarer
    return parts


def _draw_part(rng: np.random.Generator, number: int, taken: set[int]) -> Part:
    family = FAMILIES[number]
    free = [program for program in family.programs if program not in taken]
    role = family.roles[rng.integers(len(family.roles))]
    return Part(free[rng.integers(len(free))], role, family.centre)

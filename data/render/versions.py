"""Versions of a song, drawn from (seed, title, number) alone.

Version 0 is the song as written and untreated; the others are transposed, faster or
slower, and treated stem by stem.  Successive versions use successive soundfonts.
"""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from stemjax.data.render.treat import BandShape, EqualiserBand, Room, Strip, Treatment
from stemjax.data.render.vary import Variation

TRANSPOSE = (-5, 6)
"""Semitones, both ends included: every key once."""
TEMPO = (0.9, 1.1)
GAIN_DB = (-6.0, 6.0)
BAND_DB = (-4.0, 4.0)
WET_DB = (-24.0, -14.0)
ROOM_SECONDS = (0.2, 0.8)
_DELAY = (0.004, 0.02)
_DAMPING = (3000.0, 9000.0)
_DRY_SHARE = 0.3  # share of songs without a room
_HERTZ = {
    BandShape.LOW_SHELF: (80.0, 350.0),
    BandShape.PEAK: (300.0, 4000.0),
    BandShape.HIGH_SHELF: (2500.0, 8000.0),
}
_Q = {BandShape.LOW_SHELF: 0.707, BandShape.PEAK: 0.9, BandShape.HIGH_SHELF: 0.707}
# Streams of one version; a stem's strip does not depend on the song's other stems.
_FONT, _TIME_AND_PITCH, _ROOM, _STRIP = range(4)


class Version(NamedTuple):
    """One rendering of a song."""

    seed: int
    title: str
    number: int
    """0: as written."""

    def soundfont(self, count: int) -> int:
        """Index of its soundfont out of `count`; the next version uses the next one."""
        first = _rng(self._replace(number=0), _FONT).integers(count)
        return int(first + self.number) % count


def _rng(version: Version, *stream: int) -> np.random.Generator:
    title = zlib.crc32(version.title.encode())
    return np.random.default_rng([version.seed, title, version.number, *stream])


def draw_variation(version: Version) -> Variation:
    """Key and tempo of a version."""
    if not version.number:
        return Variation()
    rng = _rng(version, _TIME_AND_PITCH)
    transpose = int(rng.integers(TRANSPOSE[0], TRANSPOSE[1] + 1))
    return Variation(transpose, _uniform(rng, TEMPO, 3))


def draw_treatment(version: Version, stems: Iterable[int]) -> Treatment | None:
    """Room of the song, equaliser and level of its stems; None for version 0."""
    if not version.number:
        return None
    return Treatment(
        _draw_room(_rng(version, _ROOM)),
        {stem: _draw_strip(_rng(version, _STRIP, stem)) for stem in stems},
    )


def _draw_room(rng: np.random.Generator) -> Room | None:
    if rng.random() < _DRY_SHARE:
        return None
    return Room(
        seconds=_uniform(rng, ROOM_SECONDS, 3),
        wet_db=_uniform(rng, WET_DB, 2),
        delay=_uniform(rng, _DELAY, 4),
        damping=_uniform(rng, _DAMPING, 0),
        seed=int(rng.integers(2**31)),
    )


def _draw_strip(rng: np.random.Generator) -> Strip:
    """A level and one or two bands of different shapes."""
    shapes = rng.permutation(len(BandShape))[: rng.integers(1, 3)]
    bands = [_draw_band(rng, list(BandShape)[number]) for number in sorted(shapes)]
    return Strip(_uniform(rng, GAIN_DB, 2), tuple(bands))


def _draw_band(rng: np.random.Generator, shape: BandShape) -> EqualiserBand:
    low, high = np.log(_HERTZ[shape])
    hertz = round(float(np.exp(rng.uniform(low, high))), 1)
    return EqualiserBand(shape, hertz, _uniform(rng, BAND_DB, 2), _Q[shape])


def _uniform(
    rng: np.random.Generator, bounds: tuple[float, float], digits: int
) -> float:
    """Draw uniformly from `bounds` and round, so that metadata.yaml is exact."""
    return round(float(rng.uniform(*bounds)), digits)

"""A seeded set of songs made in memory, for tiny runs and tests; NumPy only.

Each song has four stems of different categories which share tempo, key and chords, so
that a context says something about its missing stem; songs share neither. Every stem
rests in some bars.  It has the interface of `data.prepared.records.Prepared`.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import numpy as np

from stemjax.config.streams import Stream
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import IndexTable
from stemjax.data.prepared.segments import (
    RECORD_SAMPLES,
    SAMPLE_RATE,
    SEGMENT_SAMPLES,
    records_of,
    rms_tenths,
)
from stemjax.io.errors import UserError
from stemjax.io.random import generator

PIANO, GUITAR, BASS, LEAD, PAD, DRUMS = 0, 3, 4, 10, 11, 16  # categories
CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14), (2, 5, 9), (4, 7, 11))
BEATS_PER_BAR = 4
REST = 0.2  # share of bars in which a stem is silent
PEAK = 0.22  # of a stem: four of them stay within full scale


@dataclasses.dataclass(frozen=True)
class Sheet:
    """What the stems of one song share. Times in seconds."""

    beat: float
    key: float  # Hz
    chords: tuple[tuple[int, ...], ...]  # one a half bar, semitones above the key
    seconds: float

    def chord_at(self, time: float) -> tuple[int, ...]:
        """The chord sounding at a time."""
        return self.chords[int(time / (2 * self.beat) + 1e-6) % len(self.chords)]

    def hertz(self, semitones: float) -> float:
        """Frequency of a pitch given in semitones above the key."""
        return self.key * 2 ** (semitones / 12)


class SyntheticSet:
    """Songs of three splits, made at construction.

    songs: how many for train, validation and test.
    seconds: length of every song, at most 60: one segment.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        songs: tuple[int, int, int] = (6, 2, 2),
        seconds: float = 10.0,
    ):
        samples = round(seconds * SAMPLE_RATE)
        if not 0 < samples <= SEGMENT_SAMPLES:
            raise UserError(f"synthetic songs last up to 60 s, not {seconds:g} s")
        records, self._tables = [], {}
        number = 0
        for split, count in zip(SPLITS, songs, strict=True):
            made = [song(seed, number + n, samples) for n in range(count)]
            first = len(records)
            stems = [stem for stems, _ in made for stem in stems]
            records += [record for stem in stems for record in records_of(stem)]
            per_stem = -(-samples // RECORD_SAMPLES)
            self._tables[split] = IndexTable(
                songs=tuple(f"{split}-{n}" for n in range(count)),
                segment_song=np.arange(count, dtype=np.int32),
                segment_samples=np.full(count, samples, np.int64),
                stem_offset=np.cumsum([0] + [len(s) for s, _ in made]).astype(np.int32),
                stem_category=np.array([c for _, cs in made for c in cs], np.int32),
                stem_record=first + per_stem * np.arange(len(stems), dtype=np.int64),
                stem_rms_db=_levels(stems),
            )
            number += count
        self._records = np.array(records, np.int16).reshape(-1, RECORD_SAMPLES)

    def index(self, split: str) -> IndexTable:
        """The index of a split."""
        if split not in self._tables:
            raise UserError(f"split {split!r} must be one of {', '.join(SPLITS)}")
        return self._tables[split]

    def read(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Records by number: int16 [n, 320000]."""
        return self._records[np.asarray(numbers, np.int64)]

    @functools.cached_property
    def content_hash(self) -> str:
        """Names the content."""
        seen = hashlib.sha256(self._records.tobytes())
        for table in self._tables.values():
            seen.update(table.stem_category.tobytes())
        return seen.hexdigest()


def song(seed: int, number: int, samples: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """Stems [4, samples] int16 of one song, and their categories."""
    rng = generator(seed, Stream.SYNTHETIC_SONG, number)
    sheet = Sheet(
        beat=60 / rng.uniform(90, 150),
        key=110 * 2 ** (rng.integers(12) / 12),
        chords=tuple(CHORDS[i] for i in rng.integers(len(CHORDS), size=4)),
        seconds=samples / SAMPLE_RATE,
    )
    harmony = rng.choice([PIANO, GUITAR])
    colour = rng.choice([LEAD, PAD])
    categories = (int(harmony), BASS, int(colour), DRUMS)
    parts = {
        PIANO: lambda: comping(sheet, step=1.0, decay=0.5),
        GUITAR: lambda: comping(sheet, step=0.5, decay=0.25),
        BASS: lambda: bass_line(sheet, rng),
        LEAD: lambda: melody(sheet, rng),
        PAD: lambda: comping(sheet, step=2.0, decay=5.0),
        DRUMS: lambda: beats(sheet, rng),
    }
    stems = [with_rests(parts[c](), sheet, rng)[:samples] for c in categories]
    scaled = [stem * (PEAK / np.abs(stem).max()) for stem in stems]
    return np.round(np.stack(scaled) * 32_767).astype(np.int16), categories


def comping(sheet: Sheet, *, step: float, decay: float) -> np.ndarray:
    """Chords every `step` beats."""
    return _render(
        sheet,
        [
            (time, tone(sheet.hertz(note + 12), step * sheet.beat, decay))
            for time in _grid(sheet, step)
            for note in sheet.chord_at(time)
        ],
    )


def bass_line(sheet: Sheet, rng: np.random.Generator) -> np.ndarray:
    """Roots, with a fifth now and then."""
    pattern = rng.choice([0, 0, 0, 7], size=8)
    return _render(
        sheet,
        [
            (
                time,
                tone(
                    sheet.hertz(sheet.chord_at(time)[0] - 12 + pattern[n % 8]),
                    sheet.beat,
                    0.4,
                ),
            )
            for n, time in enumerate(_grid(sheet, 1.0))
        ],
    )


def melody(sheet: Sheet, rng: np.random.Generator) -> np.ndarray:
    """Chord notes two octaves up."""
    pattern = rng.integers(3, size=8)
    return _render(
        sheet,
        [
            (
                time,
                tone(
                    sheet.hertz(sheet.chord_at(time)[pattern[n % 8]] + 24),
                    sheet.beat / 2,
                    0.8,
                ),
            )
            for n, time in enumerate(_grid(sheet, 0.5))
        ],
    )


def beats(sheet: Sheet, rng: np.random.Generator) -> np.ndarray:
    """A falling pulse and bursts of noise in turn, with noise between."""
    kick = tone(55.0, 0.2, 0.05)
    snare = rng.standard_normal(4_800) * np.exp(-np.arange(4_800) / 1_200)
    hat = 0.4 * rng.standard_normal(1_600) * np.exp(-np.arange(1_600) / 300)
    hits = [(time, hat) for time in _grid(sheet, 0.5)]
    hits += [
        (time, snare if n % 2 else kick) for n, time in enumerate(_grid(sheet, 1.0))
    ]
    return _render(sheet, hits)


@functools.lru_cache(maxsize=32)  # a song's chords come round
def tone(hertz: float, seconds: float, decay: float) -> np.ndarray:
    """Three partials that decay, faded out at the end."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * hertz * n * time) / n**2 for n in (1, 2, 3))
    fades = np.minimum(1, np.minimum(time, seconds - time) / 0.005)
    return wave * np.exp(-time / decay) * fades


def with_rests(stem: np.ndarray, sheet: Sheet, rng: np.random.Generator) -> np.ndarray:
    """Silence some bars, never two in a row and not the first."""
    bar = BEATS_PER_BAR * sheet.beat
    is_silent = rng.random(int(sheet.seconds / bar) + 1) < REST
    is_silent[0] = False
    is_silent[1:] &= ~is_silent[:-1]
    for number in np.flatnonzero(is_silent):
        stem[
            round(number * bar * SAMPLE_RATE) : round((number + 1) * bar * SAMPLE_RATE)
        ] = 0
    return stem


def _grid(sheet: Sheet, step: float) -> np.ndarray:
    """Times every `step` beats."""
    return np.arange(0, sheet.seconds, step * sheet.beat)


def _render(sheet: Sheet, notes: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Sum of waves at times."""
    out = np.zeros(round(sheet.seconds * SAMPLE_RATE))
    for time, wave in notes:
        start = round(time * SAMPLE_RATE)
        piece = out[start : start + len(wave)]
        piece += wave[: len(piece)]
    return out


def _levels(stems: list[np.ndarray]) -> np.ndarray:
    """RMS tables [S, 600] in dB."""
    rows = [rms_tenths(stem) for stem in stems]
    return np.array(rows, np.float32).reshape(len(rows), 600) / 10

"""Music analyses of mixes by other programs, one JSON file for each mix.

`FOLDER/{real,generated}/<id>.json` describe context + stem, times in seconds:

    {"notes": [[onset, offset, MIDI pitch], ...],
     "beats": [[time, position in bar from 1], ...],
     "key": "C:maj" | "A:min" | "N",
     "chords": [[start, end, label of mir_eval], ...],
     "sections": [[start, end, any label], ...],
     "percussive_onsets": [time of each hit of each voice, ...],
     "extractor": name of the program; optional, the same in all files}

Every field except the last is required; an empty list means that there is nothing.
Chords are reduced to triads, see `stemjax.analysis.labels`.
"""

import collections
import math
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.analysis import labels
from stemjax.analysis.records import METERS, NO_CHORD, NO_KEY, NO_METER, Analysis
from stemjax.eval.metrics.histograms import NUM_SECTIONS
from stemjax.eval.populations.clips import Example
from stemjax.io.errors import UserError
from stemjax.io.json_file import json_text, read_as

ROLES = ("real", "generated")
UNNAMED = "unnamed"  # extractor of files without this field
FIELDS = ("notes", "beats", "key", "chords", "sections", "percussive_onsets")
DENSITY_SECONDS = 0.6
PAST_END = 1.0  # seconds past the clip's end that a last, padded frame may reach
_ROUNDING = 1e-6  # seconds by which segments may overlap


class ImportedMusic(NamedTuple):
    """A folder of analyses in place of an analyser."""

    folder: pathlib.Path
    """Folder with `real/` and `generated/`."""
    label: str
    """Name of the settings in reports: only values with equal labels are comparable."""

    def music(
        self,
        examples: Sequence[Example],
        role: str,
        *,
        progress: Callable[[int], None] = lambda count: None,
    ) -> list[Analysis]:
        """`analyses` of the folder."""
        results = analyses(examples, role, self.folder)
        progress(len(results))
        return results


def imported_music(folder: str | os.PathLike) -> ImportedMusic:
    """Open a folder of analyses.

    Raises:
      UserError: a folder is missing or empty, a file cannot be read, or the files have
        several extractors.
    """
    folder = pathlib.Path(folder)
    by_extractor: dict[str, pathlib.Path] = {}
    for role in ROLES:
        if not (folder / role).is_dir():
            raise UserError(
                f"{folder / role}: no such folder; --descriptors-from takes one with"
                " real/<id>.json and generated/<id>.json"
            )
        for path in sorted((folder / role).glob("*.json")):
            by_extractor.setdefault(_extractor(path, _read(path)), path)
    if not by_extractor:
        raise UserError(f"{folder}: holds no real/<id>.json")
    if len(by_extractor) > 1:
        (a, first), (b, second) = list(by_extractor.items())[:2]
        raise UserError(
            f"{second}: extractor {b!r}, but {first} has {a!r}; use one for all mixes"
        )
    return ImportedMusic(folder, f"descriptors={next(iter(by_extractor))}")


def check_ids(music: ImportedMusic, ids: Sequence[str]) -> None:
    """Check that every example has valid analyses of both its mixes.

    Raises:
      UserError: a missing or faulty file, named.
    """
    for role in ROLES:
        for name in ids:
            path = music.folder / role / f"{name}.json"
            parse(path, _read(path), seconds=0.0)


def analyses(
    examples: Sequence[Example], role: str, folder: str | os.PathLike
) -> list[Analysis]:
    """Read the analyses of one role's mixes, in the order of `examples`.

    Raises:
      UserError: a file that is missing, faulty, or describes a longer clip, named.
    """
    results = []
    for example in examples:
        path = pathlib.Path(folder) / role / f"{example.triple.id}.json"
        analysis = parse(path, _read(path), example.seconds)
        _check_length(path, analysis, example.seconds)
        results.append(analysis)
    return results


def parse(path: pathlib.Path, fields: Mapping[str, Any], seconds: float) -> Analysis:
    """Convert the fields of one file to an analysis.

    Args:
      path: for errors.
      fields: content of the file.
      seconds: length of the clip; times without a chord get `NO_CHORD`.

    Raises:
      UserError: a missing or unknown field, or a value of the wrong kind.
    """
    for name in FIELDS:
        if name not in fields:
            raise UserError(f"{path}: no {name!r}; give it, empty if nothing was found")
    for name in fields:
        if name not in (*FIELDS, "extractor"):
            raise UserError(
                f"{path}: unknown field {name!r}; one of {', '.join(FIELDS)}, extractor"
            )
    key = _label(path, labels.parse_key, fields["key"])
    notes = _notes(path, fields["notes"])
    chords = _chords(path, fields["chords"], seconds)
    beats = _rows(path, "beats", fields["beats"], 2)
    beats.sort(key=lambda row: row[0])
    onsets = _list(path, "percussive_onsets", fields["percussive_onsets"])
    return Analysis(
        is_tonal=bool(len(notes) or np.any(chords[:, 2] != NO_CHORD) or key != NO_KEY),
        key=key,
        chords=chords,
        sections=_sections(path, fields["sections"]),
        notes=notes,
        beats=np.array([row[0] for row in beats], np.float64),
        beats_per_bar=beats_per_bar([_position(path, row[1]) for row in beats]),
        percussive_density=density(
            [_number(path, "percussive_onsets", onset) for onset in onsets]
        ),
    )


def beats_per_bar(positions: Sequence[int]) -> int:
    """Most frequent bar length among positions of beats; the shorter one of two equals.

    A bar's length is the position before the next 1, so a bar that is cut at the clip's
    start counts, and one that is cut at its end does not.  Lengths that are not in
    `METERS` give `NO_METER`.
    """
    lengths = [a for a, b in zip(positions, positions[1:], strict=False) if b == 1]
    if not lengths:
        return NO_METER
    counts = collections.Counter(lengths)
    best = min(counts, key=lambda length: (-counts[length], length))
    return best if best in METERS else NO_METER


def density(onsets: Sequence[float]) -> int:
    """Largest number of onsets (seconds) in any window [t, t + 0.6 s)."""
    times = np.sort(np.asarray(onsets, np.float64))
    ends = np.searchsorted(times, times + DENSITY_SECONDS - _ROUNDING)
    return int(np.max(ends - np.arange(len(times)), initial=0))


def _check_length(path: pathlib.Path, analysis: Analysis, seconds: float) -> None:
    """Check that an analysis belongs to the clip, not to the song it was cut from."""
    for name, times in (
        ("note", analysis.notes[:, 0]),
        ("beat", analysis.beats),
        ("chord", analysis.chords[:, 0]),
        ("section", analysis.sections[:, 0]),
    ):
        latest = float(times.max(initial=0.0))
        if latest > seconds + PAST_END:
            raise UserError(
                f"{path}: a {name} at {latest:.2f} s, but the clip has {seconds:.2f} s;"
                " analyse the clip by itself"
            )


def _read(path: pathlib.Path) -> dict[str, Any]:
    return read_as(dict[str, Any], path, mend="every mix needs its analysis")


def _extractor(path: pathlib.Path, fields: Mapping[str, Any]) -> str:
    name = fields.get("extractor", UNNAMED)
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise UserError(f"{path}: extractor: {name!r} is not a name")
    return name.strip()


def _label(path: pathlib.Path, read: Callable[[Any], int], value: Any) -> int:
    try:
        return read(value)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _notes(path: pathlib.Path, values: Any) -> np.ndarray:
    rows = _segments(path, "notes", values)
    for row in rows:
        row[2] = round(_number(path, "notes", row[2]))
        if not 0 <= row[2] <= 127:
            raise UserError(f"{path}: notes: pitch {row[2]} is not in MIDI's 0 to 127")
    rows.sort(key=lambda row: (row[0], row[2]))
    return np.array(rows, np.float64).reshape(-1, 3)


def _chords(path: pathlib.Path, values: Any, seconds: float) -> np.ndarray:
    """Segments from 0 to the clip's end; neighbours with equal labels are merged."""
    joined: list[list[float]] = []

    def add(start: float, end: float, label: int) -> None:
        if joined and joined[-1][2] == label:
            joined[-1][1] = end
        elif end > start:
            joined.append([start, end, label])

    reached = 0.0
    for start, end, label in _disjoint(path, "chords", values):
        if start > reached:
            add(reached, start, NO_CHORD)
        add(max(start, reached), end, _label(path, labels.parse_chord, label))
        reached = end
    if joined and reached < seconds:
        add(reached, seconds, NO_CHORD)
    return np.array(joined, np.float64).reshape(-1, 3)


def _sections(path: pathlib.Path, values: Any) -> np.ndarray:
    """Number labels by first appearance; all labels after the fifth get the last."""
    names: dict[str, int] = {}
    rows = []
    for start, end, label in _disjoint(path, "sections", values):
        known = names.setdefault(json_text(label), len(names))
        rows.append([start, end, min(known, NUM_SECTIONS - 1)])
    return np.array(rows, np.float64).reshape(-1, 3)


def _disjoint(path: pathlib.Path, name: str, values: Any) -> list[list]:
    """Segments in order of time, without those of zero length."""
    rows = [row for row in _segments(path, name, values) if row[1] > row[0]]
    rows.sort(key=lambda row: row[0])
    for before, after in zip(rows, rows[1:], strict=False):
        if after[0] < before[1] - _ROUNDING:
            raise UserError(
                f"{path}: {name}: {before[0]:g}-{before[1]:g} s and {after[0]:g}-"
                f"{after[1]:g} s overlap; give one label to each moment"
            )
    return rows


def _segments(path: pathlib.Path, name: str, values: Any) -> list[list]:
    rows = _rows(path, name, values, 3)
    for row in rows:
        row[1] = _number(path, name, row[1])
        if row[0] > row[1]:
            raise UserError(f"{path}: {name}: {row[0]:g} s starts after {row[1]:g} s")
    return rows


def _rows(path: pathlib.Path, name: str, values: Any, width: int) -> list[list]:
    """Check that rows are lists of `width` values that start with a number."""
    rows = []
    for row in _list(path, name, values):
        if not isinstance(row, list) or len(row) != width:
            raise UserError(f"{path}: {name}: {row!r} is not a list of {width} values")
        rows.append([_number(path, name, row[0]), *row[1:]])
    return rows


def _list(path: pathlib.Path, name: str, values: Any) -> list:
    if not isinstance(values, list):
        raise UserError(f"{path}: {name}: not a list")
    return values


def _number(path: pathlib.Path, name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise UserError(f"{path}: {name}: {value!r} is not a number")
    return float(value)


def _position(path: pathlib.Path, value: Any) -> int:
    position = _number(path, "beats", value)
    if position < 1 or position != int(position):
        raise UserError(f"{path}: beats: position {value!r} is not 1, 2, 3, ...")
    return int(position)

"""Fit of stems to their contexts, on a scale between mismatched and real stems.

Each row holds one stem for each of the same contexts: generated stems; the real stems;
mismatched stems (real stems of the same category from other songs); the real stems
through the codec; silence.  Each measure analyses the stem alone, so rows differ only by
their stems.

The place of generated stems is (generated - mismatched) / (real - mismatched): 0 if they
fit no better than stems of another song, 1 if they fit as well as real stems.  A silent
stem scores 0, which lies below the mismatched stems, so places are also given for the
examples whose generated stem sounds.  Traits (drones, pitches, silence, loudness) have no
place: compare them with those of the real stems.  Intervals are 95 % intervals of a
jackknife that leaves out songs, paired over rows, so contexts that are hard for every row
cancel.
"""

import enum
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from stemjax.config.streams import Stream
from stemjax.eval.metrics.alignment import (
    BEATS,
    BEATS_ANY_LEVEL,
    CHROMA,
    BeatsAndChroma,
    FitMeasure,
)
from stemjax.eval.metrics.jackknife import (
    Estimate,
    difference,
    finite,
    jackknife,
    student_interval,
)
from stemjax.io.random import generator

REAL, MISMATCHED = "real", "mismatched"
CODEC, SILENCE = "codec round trip", "silence"
REFERENCES: Mapping[str, str] = MappingProxyType(
    {
        REAL: "the real stems of these contexts",
        MISMATCHED: "real stems of the same instruments from other songs",
        CODEC: "the real stems through the codec, the best that its tokens allow",
        SILENCE: "silent stems",
    }
)
"""Rows that no model generated, with a description."""

NEARER_REAL = "clearly nearer the real stems"
NEARER_MISMATCHED = "clearly nearer the mismatched stems"
UNCLEAR = "not clear"
NO_PLACE = "no place: real and mismatched stems do not differ clearly"

UNPITCHED = frozenset({"percussive", "sound-effects", "drums"})
"""Categories without harmony; they have no chroma cosine."""


class Measure(enum.Enum):
    """Columns of the tables: fits, of which higher is better, then traits."""

    BEATS = "beat_alignment"
    ANY_LEVEL = "beat_alignment_any_level"
    CHROMA = "chroma_cosine"
    GROOVE = "groove"
    INSTRUMENT = "instrument_accuracy"
    GAIN = "context_gain"
    DRONE = "drones"
    PITCH_SHARE = "pitch_share"
    PITCHES = "distinct_pitches"
    SILENT = "silent_frames"
    BELOW = "loudness_below_context"


TRAITS = (
    Measure.DRONE,
    Measure.PITCH_SHARE,
    Measure.PITCHES,
    Measure.SILENT,
    Measure.BELOW,
)
"""Measures that have no best value; read them beside those of the real stems."""
SCORES = tuple(measure for measure in Measure if measure not in TRAITS)
"""Measures of which higher is better."""


FITS: Mapping[Measure, FitMeasure] = MappingProxyType(
    {
        Measure.BEATS: BEATS,
        Measure.ANY_LEVEL: BEATS_ANY_LEVEL,
        Measure.CHROMA: CHROMA,
    }
)
"""Measures that compare a stem's beats or notes with those of its context."""
TITLES: Mapping[Measure, str] = MappingProxyType(
    {
        Measure.BEATS: "beat alignment F",
        Measure.ANY_LEVEL: "beat F, any metrical level",
        Measure.CHROMA: "chroma cosine",
        Measure.GROOVE: "groove",
        Measure.INSTRUMENT: "instrument accuracy",
        Measure.GAIN: "context gain, nats",
        Measure.DRONE: "share of drones",
        Measure.PITCH_SHARE: "time on the commonest pitch",
        Measure.PITCHES: "distinct pitches per 10 s",
        Measure.SILENT: "silent frames",
        Measure.BELOW: "LU below the context",
    }
)
"""Column titles."""
PLACED = (
    Measure.BEATS,
    Measure.ANY_LEVEL,
    Measure.CHROMA,
    Measure.GROOVE,
    Measure.GAIN,
)
"""Scores with a place. Mismatched stems have the right instrument, so accuracy of the
instrument has none."""

MeasureValues = Mapping[str, Mapping[Measure, np.ndarray]]
"""Row -> measure -> [P] values of the examples; NaN if an example has none."""


def fit_values(
    fit: FitMeasure,
    contexts: Sequence[BeatsAndChroma],
    real: Sequence[BeatsAndChroma],
    stems: Sequence[BeatsAndChroma],
) -> np.ndarray:
    """Fit of each stem to its context, [P].

    NaN if the context and the real stem cannot be compared, for every stem alike.
    """
    return np.array(
        [
            fit.score(context, stem) if fit.counts(context, true) else np.nan
            for context, true, stem in zip(contexts, real, stems, strict=True)
        ]
    )


def other_contexts(
    songs: Sequence[str], mismatched: Sequence[str], *, seed: int
) -> list[int] | None:
    """For each example, the number of an example of a third song.

    Args:
      songs: [P] song of each example.
      mismatched: [P] song of each example's mismatched stem.

    Returns:
      None if an example has no such other example.
    """
    rng = generator(seed, Stream.LISTENING_OTHER_CONTEXT)
    chosen = []
    for excluded in zip(songs, mismatched, strict=True):
        others = [j for j, song in enumerate(songs) if song not in excluded]
        if not others:
            return None
        chosen.append(int(rng.choice(others)))
    return chosen


def counted(values: MeasureValues, name: str, measure: Measure) -> np.ndarray:
    """Whether an example counts in the mean of a row, [P] bool.

    A score counts if real and mismatched stem both have a value, for every row alike.  A
    trait counts if the row's own stem has one: a silent stem has no pitch.
    """
    if measure in TRAITS:
        return np.isfinite(values[name][measure])
    both = [values[row][measure] for row in (REAL, MISMATCHED)]
    return np.isfinite(both).all(axis=0)


def sounds(row: Mapping[Measure, np.ndarray]) -> np.ndarray:
    """Whether the stems of a row have a frame that is not silent, [P] bool."""
    return row[Measure.SILENT] < 1


def summarise(
    values: MeasureValues,
    songs: Sequence[str],
    categories: Sequence[str],
    groups: Sequence[str] = (),
) -> dict[str, Any]:
    """Means, places and verdicts by row, and means by category, as JSON values.

    Args:
      songs: [P] song of each example.
      categories: [P] category of each example.
      groups: [P] name of each example's group of songs; empty: no groups.
    """
    _, song = np.unique(np.asarray(songs), return_inverse=True)
    rows: dict[str, Any] = {}
    for name, row in values.items():
        masks = {m: counted(values, name, m) for m in Measure}
        rows[name] = {
            "measures": {
                m.value: mean_entry(row[m][masks[m]], song[masks[m]]) for m in Measure
            }
        }
        if name not in REFERENCES:
            is_heard = sounds(row)
            rows[name]["sounding"] = int(is_heard.sum())
            rows[name]["place"] = places(values, name, song)
            rows[name]["place_if_sounding"] = places(values, name, song, is_heard)
    result = {
        "n": len(songs),
        "songs": len(set(songs)),
        "rows": rows,
        "by_category": by_label(values, categories),
    }
    return result | ({"by_group": by_label(values, groups)} if len(groups) else {})


def places(
    values: MeasureValues,
    name: str,
    song: np.ndarray,
    is_chosen: np.ndarray | bool = True,
) -> dict[str, Any]:
    """Measure -> place of a row.

    Args:
      song: [P] int, number of each example's song.
      is_chosen: [P] bool, examples that may count.
    """
    entries = {}
    for m in PLACED:
        mask = counted(values, name, m) & is_chosen
        scale = (values[row][m][mask] for row in (name, MISMATCHED, REAL))
        entries[m.value] = place(*scale, song[mask])
    return entries


def mean_entry(values: np.ndarray, group: np.ndarray) -> dict[str, Any]:
    """Mean of [K] values with its interval; value None if K is 0 or a value is NaN.

    Args:
      group: [K] int, the songs.
    """
    if not len(values) or not np.isfinite(values).all():
        return {"value": None, "counted": 0}
    estimate = jackknife(lambda is_kept: values[is_kept].mean(), group)
    return _entry(estimate) | {"counted": len(values)}


def place(
    generated: np.ndarray, mismatched: np.ndarray, real: np.ndarray, group: np.ndarray
) -> dict[str, Any]:
    """Place of generated stems between mismatched (0) and real (1), of [K] values each.

    The value is None unless the interval of real - mismatched lies above 0; otherwise
    there is no scale.  The verdict is clear if the interval lies on one side of 0.5.
    """
    no_place = {"value": None, "low": None, "high": None, "verdict": NO_PLACE}
    if not len(real) or not np.isfinite(generated).all():
        return no_place

    def ratio(is_kept: np.ndarray) -> float:
        mean, zero, one = (x[is_kept].mean() for x in (generated, mismatched, real))
        return (mean - zero) / (one - zero)

    of_real, of_mismatched = (
        jackknife(lambda is_kept, x=x: x[is_kept].mean(), group)
        for x in (real, mismatched)
    )
    scale = _entry(difference(of_real, of_mismatched))
    if scale["low"] is None or not scale["low"] > 0:
        return no_place | {"real_minus_mismatched": scale}
    entry = _entry(jackknife(ratio, group))
    return entry | {
        "verdict": verdict(entry["low"], entry["high"]),
        "real_minus_mismatched": scale,
    }


def verdict(low: float, high: float) -> str:
    """Verdict on the interval of a place."""
    if low > 0.5:
        return NEARER_REAL
    return NEARER_MISMATCHED if high < 0.5 else UNCLEAR


def by_label(values: MeasureValues, labels: Sequence[str]) -> dict[str, Any]:
    """Label -> number of examples, and row -> measure -> mean, None without a value.

    Args:
      labels: [P] category or group of each example.
    """
    names = np.asarray(labels)

    def mean(name: str, measure: Measure, label: str) -> float | None:
        mask = counted(values, name, measure) & (names == label)
        chosen = values[name][measure][mask]
        return finite(chosen.mean()) if len(chosen) else None

    return {
        str(label): {
            "n": int((names == label).sum()),
            "rows": {
                name: {m.value: mean(name, m, label) for m in Measure}
                for name in values
            },
        }
        for label in np.unique(names)
    }


def _entry(estimate: Estimate) -> dict[str, Any]:
    """Value, standard error and Student's 95 % interval with (songs - 1) degrees."""
    se = finite(estimate.se)
    entry = {"value": estimate.value, "se": se, "low": None, "high": None}
    if se is not None:
        entry["low"], entry["high"] = student_interval(estimate)
    return entry

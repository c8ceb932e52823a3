"""Does a model listen? Its stems between real stems and real stems of other songs.

Every row is one stem for each of the same contexts: generated; real; mismatched, a real
stem of the same instrument from another song; real through the codec; silence.  Every
measure is taken of each stem by itself, so that rows differ in their stems alone.

The place of generated stems is (generated - mismatched) / (real - mismatched): 0 where
they fit no better than another song's stems, 1 where they fit as real ones do.  Intervals
are of 95 %, by a jackknife that leaves songs out, paired over rows: a context that is hard
for all cancels.
"""

import enum
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from stemjax.config.streams import Stream
from stemjax.eval.metrics.alignment import BEATS, BEATS_ANY_LEVEL, CHROMA, Fit, Heard
from stemjax.eval.metrics.jackknife import (
    Estimate,
    difference,
    jackknife,
    student_interval,
)
from stemjax.eval.metrics.related import finite
from stemjax.io.random import generator

REAL, MISMATCHED = "real", "mismatched"
CODEC, SILENCE = "codec round trip", "silence"
SAYS: Mapping[str, str] = MappingProxyType(
    {
        REAL: "the stems that belong to these contexts",
        MISMATCHED: "real stems of the same instruments from other songs",
        CODEC: "the real stems through the codec: what its tokens can hold",
        SILENCE: "no stem at all",
    }
)
"""What the rows are that no model made."""

NEARER_REAL = "clearly nearer the real"
NEARER_MISMATCHED = "clearly nearer the mismatched"
UNCLEAR = "not clear"
NO_PLACE = "no place: real and mismatched stems are not told apart"


UNPITCHED = frozenset({"percussive", "sound-effects", "drums"})
"""Categories of which no harmony is asked."""


class Measure(enum.Enum):
    """Columns of the table; higher is better in all."""

    BEATS = "beat_alignment"
    ANY_LEVEL = "beat_alignment_any_level"
    CHROMA = "chroma_cosine"
    INSTRUMENT = "instrument_accuracy"
    GAIN = "context_gain"


FITS: Mapping[Measure, Fit] = MappingProxyType(
    {
        Measure.BEATS: BEATS,
        Measure.ANY_LEVEL: BEATS_ANY_LEVEL,
        Measure.CHROMA: CHROMA,
    }
)
TITLES: Mapping[Measure, str] = MappingProxyType(
    {
        Measure.BEATS: "beat alignment F",
        Measure.ANY_LEVEL: "beat F, any metrical level",
        Measure.CHROMA: "chroma cosine",
        Measure.INSTRUMENT: "instrument accuracy",
        Measure.GAIN: "context gain, nats",
    }
)
PLACED = (Measure.BEATS, Measure.ANY_LEVEL, Measure.CHROMA, Measure.GAIN)
"""Measures of fit to the context: mismatched stems are of the right instrument."""

Values = Mapping[str, Mapping[Measure, np.ndarray]]
"""Row -> measure -> [P]; NaN where an example has none."""


def fit_values(
    fit: Fit,
    contexts: Sequence[Heard],
    real: Sequence[Heard],
    stems: Sequence[Heard],
) -> np.ndarray:
    """The fit of each stem to its context, [P]; NaN where the context and the real stem
    cannot be judged, whatever the stem is."""
    return np.array(
        [
            fit.score(context, stem) if fit.counts(context, true) else np.nan
            for context, true, stem in zip(contexts, real, stems, strict=True)
        ]
    )


def other_contexts(
    songs: Sequence[str], mismatched: Sequence[str], *, seed: int
) -> list[int] | None:
    """For each example the number of one whose context is of neither its own song nor
    that of its mismatched stem; None where one has none."""
    rng = generator(seed, Stream.LISTENING_OTHER_CONTEXT)
    chosen = []
    for own in zip(songs, mismatched, strict=True):
        others = [j for j, song in enumerate(songs) if song not in own]
        if not others:
            return None
        chosen.append(int(rng.choice(others)))
    return chosen


def counted(values: Values, measure: Measure) -> np.ndarray:
    """Which examples have a measure, [P] bool: those of real and mismatched stems."""
    both = [values[name][measure] for name in (REAL, MISMATCHED)]
    return np.isfinite(both).all(axis=0)


def summarise(
    values: Values, songs: Sequence[str], categories: Sequence[str]
) -> dict[str, Any]:
    """Means with intervals, places and verdicts by row, means by category; JSON values.

    songs, categories: [P] of the examples.
    """
    _, group = np.unique(np.asarray(songs), return_inverse=True)
    masks = {measure: counted(values, measure) for measure in Measure}
    rows = {}
    for name, of_row in values.items():
        measures = {
            m.value: mean_entry(of_row[m][masks[m]], group[masks[m]]) for m in Measure
        }
        rows[name] = {"measures": measures}
        if name not in SAYS:
            rows[name]["place"] = {
                m.value: place(
                    *(row[m][masks[m]] for row in _between(values, of_row)),
                    group[masks[m]],
                )
                for m in PLACED
            }
    return {
        "n": len(songs),
        "songs": len(set(songs)),
        "rows": rows,
        "by_category": by_category(values, masks, categories),
    }


def _between(values: Values, of_row: Mapping[Measure, np.ndarray]):
    return of_row, values[MISMATCHED], values[REAL]


def mean_entry(values: np.ndarray, group: np.ndarray) -> dict[str, Any]:
    """The mean of [K] values with its interval; a value of None where there is none.

    group: [K] int, the songs.
    """
    if not len(values) or not np.isfinite(values).all():
        return {"value": None, "counted": 0}
    found = jackknife(lambda is_kept: values[is_kept].mean(), group)
    return _entry(found) | {"counted": len(values)}


def place(
    generated: np.ndarray, mismatched: np.ndarray, real: np.ndarray, group: np.ndarray
) -> dict[str, Any]:
    """Where generated stems lie from mismatched (0) to real (1), [K] values each.

    None where the interval of real - mismatched does not lie above 0: there is no scale
    to place anything on.  The verdict is clear where the interval is on one side of a
    half.
    """
    nothing = {"value": None, "low": None, "high": None, "verdict": NO_PLACE}
    if not len(real) or not np.isfinite(generated).all():
        return nothing

    def of_means(is_kept: np.ndarray) -> float:
        own, zero, one = (x[is_kept].mean() for x in (generated, mismatched, real))
        return (own - zero) / (one - zero)

    of_real, of_mismatched = (
        jackknife(lambda is_kept, x=x: x[is_kept].mean(), group)
        for x in (real, mismatched)
    )
    scale = _entry(difference(of_real, of_mismatched))
    if scale["low"] is None or not scale["low"] > 0:
        return nothing | {"real_minus_mismatched": scale}
    found = _entry(jackknife(of_means, group))
    says = verdict(found["low"], found["high"])
    return found | {"verdict": says, "real_minus_mismatched": scale}


def verdict(low: float, high: float) -> str:
    """What an interval of a place says."""
    if low > 0.5:
        return NEARER_REAL
    return NEARER_MISMATCHED if high < 0.5 else UNCLEAR


def by_category(
    values: Values, masks: Mapping[Measure, np.ndarray], categories: Sequence[str]
) -> dict[str, Any]:
    """Category -> examples, and row -> measure -> mean; None where nothing counts."""
    names = np.asarray(categories)

    def mean(of_row: np.ndarray, is_chosen: np.ndarray) -> float | None:
        chosen = of_row[is_chosen]
        return finite(chosen.mean()) if len(chosen) else None

    return {
        str(category): {
            "n": int((names == category).sum()),
            "rows": {
                name: {
                    m.value: mean(of_row[m], masks[m] & (names == category))
                    for m in Measure
                }
                for name, of_row in values.items()
            },
        }
        for category in np.unique(names)
    }


def _entry(found: Estimate) -> dict[str, Any]:
    """With the 95 % interval, Student's with a degree less than there are songs."""
    entry = {"value": found.value, "se": finite(found.se), "low": None, "high": None}
    if entry["se"] is not None:
        low, high = student_interval(found)
        entry |= {"low": low, "high": high}
    return entry

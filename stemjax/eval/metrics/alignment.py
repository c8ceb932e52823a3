"""Does a stem keep time and harmony with its own context? Each is analysed alone.

Beat alignment: F of the stem's beats against the context's, within 70 ms, as they are or
at the metrical level that fits best. Chroma cosine: mean over frames of the cosine
between their chroma. All are read beside the real stems', since no music scores 1, and
beside those of real stems in other contexts.
"""

import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from stemjax.analysis import extract
from stemjax.analysis.audio import whole_seconds
from stemjax.analysis.rhythm import Rhythm, analyse_rhythm_batch, beat_times
from stemjax.analysis.tonal import analyse_tonal_batch
from stemjax.eval.metrics.apa import derangement
from stemjax.eval.metrics.jackknife import Estimate, jackknife
from stemjax.eval.metrics.mixes import in_batches
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.store import Row, cached, stage_folder

TOLERANCE = 0.07  # seconds (mir_eval.beat)
FEWEST_BEATS = 4  # of context and real stem, for an example to count
VOICED = 2.0
"""Least norm of a voiced frame's chroma: notes have 3 to 9, drums and noise about 1 to 2,
what a rest holds below 1."""
VERSION = 1  # of what is cached; a change of a descriptor counts extract.VERSION up


class Heard(NamedTuple):
    """What is known of one clip alone."""

    beats: np.ndarray
    """[M] float64 seconds, ascending."""
    chroma: np.ndarray
    """[T, 12] float32 at 20 frames per second; 0 is C."""
    is_tonal: bool
    """Loud enough and not noise throughout."""


class Alignment(NamedTuple):
    """Mean fit of stems to their contexts, over the examples that count."""

    generated: Estimate
    real: Estimate
    ratio: Estimate | None
    """Generated over real; None where a mean of real stems is 0."""
    shuffled: float | None
    """Mean of real stems of other examples: what chance gives. None for one example."""
    counted: int


def listen(
    chosen: Sequence[tuple[Example, str]],
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> list[Heard]:
    """The beats and chroma of clips, each an example and a role, in their order.

    progress: called with the number of clips that came; a clip chosen twice is one.
    """

    def analyse(missing: Sequence[tuple[Example, str]]) -> list[Row]:
        audio = [whole_seconds(clips.load(e, role)) for e, role in missing]
        return [
            {name: np.asarray(value) for name, value in heard._asdict().items()}
            for heard in in_batches(audio, hear)
        ]

    keys = [clips.joined_key([e.keys[role], f"{e.seconds}"]) for e, role in chosen]
    params = {"music": extract.VERSION, "version": VERSION}
    folder = stage_folder(cache, "alignment", params)
    items = dict(zip(keys, chosen, strict=True))
    rows = cached(folder, items, analyse, progress=progress)
    return [
        Heard(row["beats"], row["chroma"], bool(row["is_tonal"]))
        for row in (rows[key] for key in keys)
    ]


def hear(audio: np.ndarray) -> list[Heard]:
    """Clips [B, N] at 16 kHz, N whole seconds, to what is heard in each of the B."""
    rhythm, tonal = jax.device_get(
        (analyse_rhythm_batch(audio), analyse_tonal_batch(audio))
    )
    return [
        Heard(
            beat_times(Rhythm(*(values[b] for values in rhythm))),
            tonal.chroma[b],
            bool(tonal.is_tonal[b]),
        )
        for b in range(len(audio))
    ]


def f_measure(found: np.ndarray, truth: np.ndarray, tolerance: float) -> float:
    """F of two sorted sets of times, each matched at most once within `tolerance`.

    Taking the earliest partner of each in turn matches as many as possible. 0 where
    either is empty.
    """
    i = j = matched = 0
    while i < len(found) and j < len(truth):
        gap = found[i] - truth[j]
        if abs(gap) <= tolerance:
            matched, i, j = matched + 1, i + 1, j + 1
        elif gap < 0:
            i += 1
        else:
            j += 1
    return 2 * matched / max(1, len(found) + len(truth))


def beat_f(context: Heard, stem: Heard) -> float:
    """F of the beats of the two at 70 ms; 0 for a stem without beats."""
    return f_measure(stem.beats, context.beats, TOLERANCE)


def metrical_levels(beats: np.ndarray) -> list[np.ndarray]:
    """Beats [M] at the levels on which a stem may be felt: as they are, the off-beats,
    both, and every other beat from the first and from the second.

    The allowed metrical levels of Davies, Degara and Plumbley 2009 (mir_eval.beat).
    """
    between = (beats[1:] + beats[:-1]) / 2
    both = np.sort(np.concatenate([beats, between]))
    return [beats, between, both, beats[::2], beats[1::2]]


def beat_f_any_level(context: Heard, stem: Heard) -> float:
    """The best F of the stem's beats with a metrical level of the context's.

    A stem heard alone often shows half or double the tempo of its song, or its
    off-beats; an error of half a beat is forgiven too.
    """
    levels = metrical_levels(context.beats)
    return max(f_measure(stem.beats, level, TOLERANCE) for level in levels)


def are_rhythmic(context: Heard, stem: Heard) -> bool:
    """Whether both have four beats or more."""
    return min(len(context.beats), len(stem.beats)) >= FEWEST_BEATS


def chroma_cosine(context: Heard, stem: Heard) -> float:
    """Mean cosine over the frames where both are voiced; 0 where there are none."""
    _, cosines = _voiced_cosines(context, stem)
    return float(cosines.mean()) if len(cosines) else 0.0


def are_voiced(context: Heard, stem: Heard) -> bool:
    """Whether both are tonal and there is a frame where both are voiced."""
    is_voiced, _ = _voiced_cosines(context, stem)
    return bool(is_voiced.any())


def _voiced_cosines(context: Heard, stem: Heard) -> tuple[np.ndarray, np.ndarray]:
    """Over the shorter's frames: [T] bool, voiced in both; the cosines of these."""
    T = min(len(context.chroma), len(stem.chroma))
    a, b = (np.asarray(heard.chroma[:T], np.float64) for heard in (context, stem))
    norms = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    is_voiced = (norms[0] >= VOICED) & (norms[1] >= VOICED)
    is_voiced &= context.is_tonal and stem.is_tonal
    product = (norms[0] * norms[1])[is_voiced]
    return is_voiced, (a * b).sum(1)[is_voiced] / product


class Fit(NamedTuple):
    """One way to ask whether a stem fits its context."""

    score: Callable[[Heard, Heard], float]
    """Context, stem -> 0 to 1."""
    counts: Callable[[Heard, Heard], bool]
    """Context, real stem -> whether the example is judged, whatever was generated: a
    system cannot leave out what it does badly."""


BEATS = Fit(beat_f, are_rhythmic)
BEATS_ANY_LEVEL = Fit(beat_f_any_level, are_rhythmic)
CHROMA = Fit(chroma_cosine, are_voiced)


class Population(NamedTuple):
    """What is heard in C examples, in one order."""

    contexts: Sequence[Heard]
    real: Sequence[Heard]
    generated: Sequence[Heard]
    own_contexts: Sequence[Heard]
    """The generated stems' contexts, where they have others; else `contexts`."""


def align(
    heard: Population, fit: Fit, group: np.ndarray, ids: Sequence[str], *, seed: int
) -> Alignment | None:
    """Mean fit of stems to their contexts over the examples that count.

    An example counts where its real stem can be judged in both contexts.

    group: [C] int of `jackknife.assign_groups`.
    seed: of the derangement of real stems among the examples that count.

    Returns: None where no example counts.
    """
    where = [
        i
        for i, stem in enumerate(heard.real)
        if fit.counts(heard.contexts[i], stem)
        and fit.counts(heard.own_contexts[i], stem)
    ]
    if not where:
        return None
    shuffled = None
    if len(where) > 1:
        partner = derangement([ids[i] for i in where], seed=seed)
        others = [heard.real[where[k]] for k in partner]
        contexts = [heard.contexts[i] for i in where]
        shuffled = float(np.mean(list(map(fit.score, contexts, others))))
    real, generated = (
        np.array([fit.score(contexts[i], stems[i]) for i in where])
        for contexts, stems in (
            (heard.contexts, heard.real),
            (heard.own_contexts, heard.generated),
        )
    )
    return summarise(real, generated, group[where], shuffled)


def summarise(
    real: np.ndarray,
    generated: np.ndarray,
    group: np.ndarray,
    shuffled: float | None = None,
) -> Alignment:
    """Means of the fits [K] of real and generated stems and their ratio.

    group: [K] int; the `sizes` of the estimates sum to K.
    """

    def ratio(is_kept: np.ndarray) -> float:
        below = real[is_kept].mean()
        return generated[is_kept].mean() / below if below > 0 else np.nan

    of_ratio = jackknife(ratio, group)
    several = len(of_ratio.groups) > 1
    is_defined = np.isfinite(of_ratio.value) and (
        not several or np.isfinite(of_ratio.groups).all()
    )
    return Alignment(
        generated=jackknife(lambda is_kept: generated[is_kept].mean(), group),
        real=jackknife(lambda is_kept: real[is_kept].mean(), group),
        ratio=of_ratio if is_defined else None,
        shuffled=shuffled,
        counted=len(real),
    )

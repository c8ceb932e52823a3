"""Beat alignment and chroma cosine: whether a stem fits the time and harmony of a context.

Stem and context are analysed separately.  Beat alignment is the F-measure of the stem's
beats against the context's within 70 ms, as tracked or at the best metrical level.
Chroma cosine is the mean over frames of the cosine between their chroma.  Read both beside
the values of real stems, since no music scores 1, and of real stems in other contexts.
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
from stemjax.eval.populations.store import CacheRow, cached, stage_folder

TOLERANCE = 0.07
"""Seconds between matching beats (mir_eval.beat)."""
FEWEST_BEATS = 4
"""Beats that context and real stem need for an example to count."""
VOICED = 2.0
"""Least norm of a voiced frame's chroma: notes have 3 to 9, drums and noise about 1 to 2,
rests less than 1."""
VERSION = 1
"""Version of the cached rows; if a descriptor changes, increase `extract.VERSION`."""


class BeatsAndChroma(NamedTuple):
    """Analysis of one clip alone."""

    beats: np.ndarray
    """[M] float64 seconds, ascending."""
    chroma: np.ndarray
    """[T, 12] float32 at 20 frames per second; index 0 is C."""
    is_tonal: bool
    """The clip is loud enough and not noise throughout."""


class Alignment(NamedTuple):
    """Mean fit of stems to their contexts, over the examples that count."""

    generated: Estimate
    """Mean of the generated stems."""
    real: Estimate
    """Mean of the real stems."""
    ratio: Estimate | None
    """`generated` over `real`; None if a mean of real stems is 0."""
    shuffled: float | None
    """Mean of real stems of other examples: the chance level. None for one example."""
    counted: int
    """Number of examples that count."""


def cached_beats_and_chroma(
    chosen: Sequence[tuple[Example, str]],
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> list[BeatsAndChroma]:
    """Beats and chroma of clips, computed once and cached.

    Args:
      chosen: (example, role) of each clip.
      cache: folder of cached analyses.
      progress: called with the number of clips that became available; a clip that is
        chosen twice counts once.
    """

    def analyse(missing: Sequence[tuple[Example, str]]) -> list[CacheRow]:
        audio = [whole_seconds(clips.load(e, role)) for e, role in missing]
        return [
            {name: np.asarray(value) for name, value in result._asdict().items()}
            for result in in_batches(audio, beats_and_chroma)
        ]

    keys = [clips.joined_key([e.keys[role], f"{e.seconds}"]) for e, role in chosen]
    params = {"music": extract.VERSION, "version": VERSION}
    folder = stage_folder(cache, "alignment", params)
    items = dict(zip(keys, chosen, strict=True))
    rows = cached(folder, items, analyse, progress=progress)
    return [
        BeatsAndChroma(row["beats"], row["chroma"], bool(row["is_tonal"]))
        for row in (rows[key] for key in keys)
    ]


def beats_and_chroma(audio: np.ndarray) -> list[BeatsAndChroma]:
    """Analyse clips [B, N] at 16 kHz, N whole seconds."""
    rhythm, tonal = jax.device_get(
        (analyse_rhythm_batch(audio), analyse_tonal_batch(audio))
    )
    return [
        BeatsAndChroma(
            beat_times(Rhythm(*(values[b] for values in rhythm))),
            tonal.chroma[b],
            bool(tonal.is_tonal[b]),
        )
        for b in range(len(audio))
    ]


def f_measure(estimated: np.ndarray, truth: np.ndarray, tolerance: float) -> float:
    """F-measure of two sorted sets of times, each matched at most once.

    Matching each time to its earliest partner gives the most matches.  The result is 0
    if either set is empty.

    Args:
      estimated, truth: [M], [M'] seconds, ascending.
      tolerance: seconds between matching times.
    """
    i = j = matched = 0
    while i < len(estimated) and j < len(truth):
        gap = estimated[i] - truth[j]
        if abs(gap) <= tolerance:
            matched, i, j = matched + 1, i + 1, j + 1
        elif gap < 0:
            i += 1
        else:
            j += 1
    return 2 * matched / max(1, len(estimated) + len(truth))


def beat_f(context: BeatsAndChroma, stem: BeatsAndChroma) -> float:
    """F-measure of the beats of the two at 70 ms; 0 for a stem without beats."""
    return f_measure(stem.beats, context.beats, TOLERANCE)


def metrical_levels(beats: np.ndarray) -> list[np.ndarray]:
    """Beats [M] at the metrical levels that a listener may tap.

    As they are, the off-beats, both, and every other beat from the first and from the
    second: the allowed metrical levels of Davies, Degara and Plumbley 2009
    (mir_eval.beat).
    """
    between = (beats[1:] + beats[:-1]) / 2
    both = np.sort(np.concatenate([beats, between]))
    return [beats, between, both, beats[::2], beats[1::2]]


def beat_f_any_level(context: BeatsAndChroma, stem: BeatsAndChroma) -> float:
    """Best F-measure of the stem's beats with a metrical level of the context's.

    The beats of a stem alone often have half or double the tempo of the song, or lie on
    its off-beats.  An error of half a beat costs nothing here.
    """
    levels = metrical_levels(context.beats)
    return max(f_measure(stem.beats, level, TOLERANCE) for level in levels)


def are_rhythmic(context: BeatsAndChroma, stem: BeatsAndChroma) -> bool:
    """Whether both have four beats or more."""
    return min(len(context.beats), len(stem.beats)) >= FEWEST_BEATS


def chroma_cosine(context: BeatsAndChroma, stem: BeatsAndChroma) -> float:
    """Mean cosine over the frames in which both are voiced; 0 without such frames."""
    _, cosines = _voiced_cosines(context, stem)
    return float(cosines.mean()) if len(cosines) else 0.0


def are_voiced(context: BeatsAndChroma, stem: BeatsAndChroma) -> bool:
    """Whether both are tonal and at least one frame is voiced in both."""
    is_voiced, _ = _voiced_cosines(context, stem)
    return bool(is_voiced.any())


def _voiced_cosines(
    context: BeatsAndChroma, stem: BeatsAndChroma
) -> tuple[np.ndarray, np.ndarray]:
    """Frames of the shorter clip: [T] bool, voiced in both; cosines of these frames."""
    T = min(len(context.chroma), len(stem.chroma))
    a, b = (np.asarray(clip.chroma[:T], np.float64) for clip in (context, stem))
    norms = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    is_voiced = (norms[0] >= VOICED) & (norms[1] >= VOICED)
    is_voiced &= context.is_tonal and stem.is_tonal
    product = (norms[0] * norms[1])[is_voiced]
    return is_voiced, (a * b).sum(1)[is_voiced] / product


class FitMeasure(NamedTuple):
    """A measure of the fit of a stem to its context."""

    score: Callable[[BeatsAndChroma, BeatsAndChroma], float]
    """(context, stem) -> 0 to 1."""
    counts: Callable[[BeatsAndChroma, BeatsAndChroma], bool]
    """(context, real stem) -> whether the example counts. It does not depend on the
    generated stem, so a system cannot exclude its failures."""


BEATS = FitMeasure(beat_f, are_rhythmic)
BEATS_ANY_LEVEL = FitMeasure(beat_f_any_level, are_rhythmic)
CHROMA = FitMeasure(chroma_cosine, are_voiced)


class AlignedClips(NamedTuple):
    """Analyses of the clips of C examples, in one order."""

    contexts: Sequence[BeatsAndChroma]
    """[C] contexts of the real stems."""
    real: Sequence[BeatsAndChroma]
    """[C] real stems."""
    generated: Sequence[BeatsAndChroma]
    """[C] generated stems."""
    own_contexts: Sequence[BeatsAndChroma]
    """[C] contexts of the generated stems; equal to `contexts` unless they have others."""


def align(
    analysed: AlignedClips,
    fit: FitMeasure,
    group: np.ndarray,
    ids: Sequence[str],
    *,
    seed: int,
) -> Alignment | None:
    """Mean fit of stems to their contexts over the examples that count.

    An example counts if its real stem can be judged in both contexts.

    Args:
      analysed: clips of the examples.
      fit: the measure.
      group: [C] int of `jackknife.assign_groups`.
      ids: [C] of the examples.
      seed: of the derangement of real stems among the examples that count.

    Returns: None if no example counts.
    """
    where = [
        i
        for i, stem in enumerate(analysed.real)
        if fit.counts(analysed.contexts[i], stem)
        and fit.counts(analysed.own_contexts[i], stem)
    ]
    if not where:
        return None
    shuffled = None
    if len(where) > 1:
        partner = derangement([ids[i] for i in where], seed=seed)
        others = [analysed.real[where[k]] for k in partner]
        contexts = [analysed.contexts[i] for i in where]
        shuffled = float(np.mean(list(map(fit.score, contexts, others))))
    real, generated = (
        np.array([fit.score(contexts[i], stems[i]) for i in where])
        for contexts, stems in (
            (analysed.contexts, analysed.real),
            (analysed.own_contexts, analysed.generated),
        )
    )
    return summarise(real, generated, group[where], shuffled)


def summarise(
    real: np.ndarray,
    generated: np.ndarray,
    group: np.ndarray,
    shuffled: float | None = None,
) -> Alignment:
    """Means of the fits [K] of real and generated stems, and their ratio.

    Args:
      real, generated: [K] fits.
      group: [K] int; the `sizes` of the estimates sum to K.
      shuffled: see `Alignment`.
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

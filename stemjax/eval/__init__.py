"""Metrics of generated music as plain functions, in the manner of mir_eval.

    import stemjax.eval
    stemjax.eval.frechet_distance(real_vectors, generated_vectors)
    stemjax.eval.beat_alignment(contexts, stems, rate=44_100)

Conventions: a vector set is an array [N, D]; a clip is mono audio [N], full scale 1; a
population is a sequence of clips or, if so stated, of one array of vectors for each clip.
The first population is the real one.  Functions import what they need when they are
called, so that `import stemjax.eval` is light.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stemjax.eval.metrics.apa import Apa
    from stemjax.eval.metrics.fad_inf import FadInf
    from stemjax.eval.metrics.mirdd import MirddResult
    from stemjax.tasks.context_loss import ScoringModel

__all__ = [
    "accompaniment_prompt_adherence",
    "beat_alignment",
    "chroma_cosine",
    "context_gain",
    "frechet_distance",
    "frechet_inf",
    "groove",
    "kernel_distance",
    "mirdd",
]


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Squared Frechet distance between Gaussians fitted to two vector sets.

        |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

    with covariances over n - 1.  It is FAD if the vectors are embeddings of VGGish.  Its
    bias is about c / n: compare values of equal n, or use `frechet_inf`.

    Source: Dowson and Landau 1982; Kilgour et al. 2019 (arXiv 1812.08466).

    Args:
      x: [N, D], N at least 2.
      y: [M, D], M at least 2.

    Returns:
      The distance, at least 0, in squared units of the vectors.

    Raises:
      UserError: other shapes, or values that are not finite.
    """
    from stemjax.eval.metrics.frechet import frechet

    return frechet(x, y).value


def frechet_inf(
    real: Sequence[np.ndarray], generated: Sequence[np.ndarray], *, seed: int = 0
) -> "FadInf":
    """Frechet distance extrapolated to infinitely many clips.

    A line through the distances of random subsets against 1 / clips.  Clips are drawn,
    not vectors, since vectors of one clip are not independent.

    Source: Chong and Forsyth 2020 (arXiv 1911.07023); Gui et al. 2023 (arXiv 2311.01616).

    Args:
      real: vectors [n, D] of each of C clips, C at least 20.
      generated: the same; clip i belongs to the same example as clip i of `real`.
      seed: of the subsets and the jackknife groups.

    Returns:
      `value`, which may be below 0, its standard error `se`, and the line.

    Raises:
      UserError: fewer than 20 clips, another number of clips, or bad vectors.
    """
    from stemjax.eval.metrics import fad_inf
    from stemjax.eval.metrics.jackknife import assign_groups

    ids = _ids(real, generated)
    group = assign_groups(ids, seed=seed)
    return fad_inf.fad_inf(real, generated, group, ids, seed=seed)


def kernel_distance(x: np.ndarray, y: np.ndarray, *, seed: int = 0) -> float:
    """Kernel audio distance (KAD): 100 times the unbiased squared MMD of two vector sets.

    The kernel is Gaussian; its bandwidth is the median distance within `x`.  The
    expectation does not depend on the number of vectors; for equal distributions the
    value is below 0 about half the time.

    Source: Chung et al. 2025 (arXiv 2502.15602).

    Args:
      x: [N, D] reference vectors, N at least 2.
      y: [M, D], M at least 2.
      seed: of the subset for the median if N is above 2000.

    Raises:
      UserError: other shapes, values that are not finite, or a median distance of 0.
    """
    from stemjax.eval.metrics.kad import kad

    return kad(x, y, seed=seed).value


def mirdd(
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    *,
    rate: int = 16_000,
    seed: int = 0,
) -> "MirddResult":
    """Music information retrieval descriptor distance (MIRDD) of two sets of mixes.

    Mean over eleven descriptors (key, chords, beats, notes ...) of the KL divergence
    between their distributions.  The mixes hold context and stem.  Values depend on the
    analysis and the smoothing: compare only values of this implementation.

    Source: StemGen, sec. 3.1 (arXiv 2312.08723).

    Args:
      real: mixes, each mono audio [N] of at least 1 s.
      generated: mixes; with equal numbers, mix i has the context of mix i of `real`.
      rate: sample rate of all mixes, Hz.
      seed: of the jackknife groups and the null distribution.

    Returns:
      `mirdd.estimate.value` in nats with its standard error and its null distribution,
      `mirdd_nine` over nine descriptors, and the divergences `by_descriptor`.
    """
    from stemjax.analysis.extract import analyse_music
    from stemjax.eval.metrics import mirdd as module
    from stemjax.eval.metrics.histograms import histograms
    from stemjax.eval.metrics.mixes import in_batches

    rows = [
        np.stack([histograms(a) for a in in_batches(_clips(side, rate), analyse_music)])
        for side in (real, generated)
    ]
    return module.mirdd(*rows, seed=seed)


def beat_alignment(
    contexts: Sequence[np.ndarray],
    stems: Sequence[np.ndarray],
    *,
    rate: int = 16_000,
    any_level: bool = False,
) -> np.ndarray:
    """F-measure of each stem's beats against its context's, within 70 ms.

    Both are tracked separately.  Compare with real stems in the same contexts: no music
    scores 1.

    Source: the F-measure of mir_eval.beat; metrical levels of Davies, Degara and Plumbley
    2009.

    Args:
      contexts: P mono clips [N].
      stems: P mono clips [N].
      rate: sample rate of all clips, Hz.
      any_level: use the best of five metrical levels of the context's beats.

    Returns:
      [P] float64 in [0, 1]; NaN if the context has fewer than four beats.
    """
    from stemjax.eval.metrics import alignment

    score = alignment.beat_f_any_level if any_level else alignment.beat_f
    pairs = _beats_and_chroma(contexts, stems, rate)
    return np.array(
        [
            score(context, stem)
            if len(context.beats) >= alignment.FEWEST_BEATS
            else np.nan
            for context, stem in pairs
        ]
    )


def groove(
    contexts: Sequence[np.ndarray],
    stems: Sequence[np.ndarray],
    *,
    rate: int = 16_000,
) -> np.ndarray:
    """Repetition of each stem's onsets after 1, 2 or 4 beats of its context.

    The largest correlation of the stem's onset strength with itself at these lags: 1 for
    a loop of these beats, about 0.1 for noise, 0 without onsets.  Compare with the real
    stems.

    Args:
      contexts: P mono clips [N].
      stems: P mono clips [N].
      rate: sample rate of all clips, Hz.

    Returns:
      [P] float64 at most 1; NaN if the context has fewer than four beats.
    """
    from stemjax.eval.metrics import stem_traits

    beats = [context.beats for context, _ in _beats_and_chroma(contexts, stems, rate)]
    traits = stem_traits.stem_traits(_clips(stems, rate))
    return stem_traits.groove_values(beats, traits)


def chroma_cosine(
    contexts: Sequence[np.ndarray],
    stems: Sequence[np.ndarray],
    *,
    rate: int = 16_000,
) -> np.ndarray:
    """Mean cosine between the chroma of each stem and its context.

    The mean is over the frames (20 per second) in which both are voiced.  Compare with
    real stems in the same contexts.

    Args:
      contexts: P mono clips [N].
      stems: P mono clips [N].
      rate: sample rate of all clips, Hz.

    Returns:
      [P] float64 in [0, 1]; 0 for a stem that is never voiced together with its context,
      NaN if the context is not tonal.
    """
    from stemjax.eval.metrics import alignment

    pairs = _beats_and_chroma(contexts, stems, rate)
    return np.array(
        [
            alignment.chroma_cosine(context, stem) if context.is_tonal else np.nan
            for context, stem in pairs
        ]
    )


def accompaniment_prompt_adherence(
    contexts: Sequence[np.ndarray],
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    embed: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int = 0,
) -> "Apa":
    """Accompaniment prompt adherence (APA): whether stems fit their own contexts.

        1/2 + (FD(C, R') - FD(C, R)) / (2 FD(R, R')), clipped to [0, 1]

    over mixes: R of the contexts with their real stems, R' with real stems of other
    examples, C with the generated stems.  1: as near to R as with the real stems; 0: as
    with the stems of other examples.  Values of two embeddings are not comparable.

    Source: Grachten and Nistal 2025 (arXiv 2503.06346).

    Args:
      contexts, real, generated: P clips [N] each at the rate of `embed`; clips of one
        example have one length.
      embed: mix [N] -> vectors [n, D].
      seed: of the pairs of R' and the jackknife groups.

    Returns:
      `estimate` with `value` and standard error, the three distances, and `remoteness`:
      far above 1 the stems are unlike any real stems and APA is not meaningful.

    Raises:
      UserError: fewer than two examples, or bad vectors.
    """
    from stemjax.eval.metrics import apa
    from stemjax.eval.metrics.jackknife import assign_groups
    from stemjax.io.audio import sum_with_one_gain

    ids = _ids(real, generated)
    partner = apa.derangement(ids, seed=seed)
    others = [real[k] for k in partner]

    def vectors(stems: Sequence[np.ndarray]) -> list[np.ndarray]:
        mixes = []
        for context, stem in zip(contexts, stems, strict=True):
            length = min(len(context), len(stem))
            mixes.append(sum_with_one_gain([context[:length], stem[:length]]).audio)
        return [np.asarray(embed(mix)) for mix in mixes]

    group = assign_groups(ids, seed=seed)
    return apa.apa(vectors(real), vectors(others), vectors(generated), group, ids)


def context_gain(
    model: "ScoringModel",
    contexts: Sequence[np.ndarray],
    others: Sequence[np.ndarray],
    stems: Sequence[np.ndarray],
    instruments: Sequence[str],
) -> np.ndarray:
    """How much less likely a model finds each stem with another song's context.

    Cross-entropy of the stem's coarsest tokens given the other context minus that given
    its own context, with all tokens of the level hidden.  0 for a model that ignores the
    context, or a stem that does not depend on it.

    Source: the training objective of StemGen, sec. 2 (arXiv 2312.08723).

    Args:
      model: of `stemjax.load`.
      contexts: P clips [N] of one length at the model's sample rate.
      others: P contexts of other songs.
      stems: P stems of the contexts.
      instruments: P names of categories, such as "bass".

    Returns:
      [P] float64 nats per token.
    """
    from stemjax.config.categories import category_of
    from stemjax.tasks.context_loss import window_losses

    hop = model.codec.config.hop

    def codes(clips: Sequence[np.ndarray]) -> np.ndarray:
        padded = [np.pad(clip, (0, -len(clip) % hop)) for clip in clips]
        return np.concatenate(
            [np.asarray(model.codec.encode(np.float32(clip)[None])) for clip in padded]
        )

    categories = [category_of(name) for name in instruments]
    own, other, _ = window_losses(
        model, categories, codes(contexts), codes(others), codes(stems)
    )
    return (other - own)[0].mean(axis=-1).astype(np.float64)


def _ids(real: Sequence, generated: Sequence) -> list[str]:
    from stemjax.io.errors import UserError

    if len(real) != len(generated):
        raise UserError(f"{len(real)} real clips, but {len(generated)} generated ones")
    return [f"{k:08d}" for k in range(len(real))]


def _clips(population: Sequence[np.ndarray], rate: int) -> list[np.ndarray]:
    from stemjax.analysis.audio import resample, whole_seconds

    return [
        whole_seconds(np.asarray(resample(np.asarray(clip), rate), np.float32))
        for clip in population
    ]


def _beats_and_chroma(contexts, stems, rate: int) -> list[tuple]:
    from stemjax.eval.metrics.alignment import beats_and_chroma
    from stemjax.eval.metrics.mixes import in_batches

    sides = [_clips(side, rate) for side in (contexts, stems)]
    return list(
        zip(*(in_batches(side, beats_and_chroma) for side in sides), strict=True)
    )

"""Fit of stems to their contexts, as plain functions."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stemjax.eval.populations.plain_clips import at_analysis_rate, numbered_ids

if TYPE_CHECKING:
    from stemjax.eval.metrics.apa import Apa
    from stemjax.tasks.context_loss import ScoringModel


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
    traits = stem_traits.stem_traits(at_analysis_rate(stems, rate))
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
    from stemjax.io.audio_files.bounds import to_float32

    ids = numbered_ids(real, generated)
    contexts, real, generated = (
        [to_float32(clip, name=f"clip {k} of {name}") for k, clip in enumerate(clips)]
        for name, clips in (
            ("contexts", contexts),
            ("real", real),
            ("generated", generated),
        )
    )
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
    from stemjax.io.audio_files.bounds import to_float32
    from stemjax.tasks.context_loss import window_losses

    hop = model.codec.config.hop

    def codes(clips: Sequence[np.ndarray]) -> np.ndarray:
        clips = [to_float32(clip, name=f"clip {k}") for k, clip in enumerate(clips)]
        padded = [np.pad(clip, (0, -len(clip) % hop)) for clip in clips]
        return np.concatenate(
            [np.asarray(model.codec.encode(np.float32(clip)[None])) for clip in padded]
        )

    categories = [category_of(name) for name in instruments]
    own, other, _ = window_losses(
        model, categories, codes(contexts), codes(others), codes(stems)
    )
    return (other - own)[0].mean(axis=-1).astype(np.float64)


def _beats_and_chroma(contexts, stems, rate: int) -> list[tuple]:
    from stemjax.eval.metrics.alignment import beats_and_chroma
    from stemjax.eval.metrics.mixes import in_batches

    sides = [at_analysis_rate(side, rate) for side in (contexts, stems)]
    return list(
        zip(*(in_batches(side, beats_and_chroma) for side in sides), strict=True)
    )

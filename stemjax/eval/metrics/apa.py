"""Accompaniment prompt adherence (APA): whether stems fit their own contexts.

    APA = 1/2 + (FD(C, R') - FD(C, R)) / (2 FD(R, R')), clipped to [0, 1]

(Grachten and Nistal 2025, arXiv 2503.06346) over mixes: R of the contexts with their real
stems, R' of the contexts with other examples' real stems, C of the contexts with the
generated stems.  1: as near to R as with the real stems; 0: as with the stems of other
examples.  FD is the squared Frechet distance of any embedding; the paper uses CLAP's.
Values of two embeddings are not comparable.
"""

import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.config.streams import Stream
from stemjax.eval.metrics.embeddings import Embedding
from stemjax.eval.metrics.frechet import ROUNDING, group_statistic, population
from stemjax.eval.metrics.jackknife import Estimate, from_leave_outs, jackknife
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.store import CacheRow, cached, stage_folder
from stemjax.io.audio import sum_with_one_gain
from stemjax.io.errors import UserError
from stemjax.io.random import generator

VERSION = 1
"""Version of the cached mixes; increase it if mixing changes."""


class ContextAndStem(NamedTuple):
    """A context with a stem of the same or another example."""

    context: Example
    """Example of the context."""
    stem: Example
    """Example of the stem."""
    role: str
    """Role of the stem: "real" or "generated"."""

    @property
    def seconds(self) -> float:
        """Length of the mix: that of the shorter clip."""
        return min(self.context.seconds, self.stem.seconds)

    @property
    def context_role(self) -> str:
        """Role of the context that the stem belongs to."""
        return clips.context_role(self.context, self.role)

    @property
    def key(self) -> str:
        """Cache key of the mix: its two clips and its length."""
        keys = [self.context.keys[self.context_role], self.stem.keys[self.role]]
        return clips.joined_key([*keys, f"{self.seconds}"])


class Apa(NamedTuple):
    """Accompaniment prompt adherence with its jackknife and its distances."""

    estimate: Estimate | None
    """Adherence in [0, 1]; None if R and R' do not differ, with or without a group."""
    unclipped: Estimate | None
    """Adherence before clipping, whose error is meaningful at 0 and 1 too."""
    generated_mispaired: float
    """FD(C, R')."""
    generated_real: float
    """FD(C, R)."""
    real_mispaired: float
    """FD(R, R')."""

    @property
    def remoteness(self) -> float | None:
        """The smaller of FD(C, R) and FD(C, R'), divided by FD(R, R').

        Far above 1 the stems are unlike any real stems and APA is not meaningful: silence
        may score 1.  None if R and R' do not differ.
        """
        if self.estimate is None:
            return None
        return min(self.generated_mispaired, self.generated_real) / self.real_mispaired


def derangement(ids: Sequence[str], *, seed: int) -> np.ndarray:
    """Draw a permutation without fixed points: the example that each stem comes from.

    Uniform over such permutations, [C] int.  It depends on the seed and the set of ids,
    not on their order.

    Raises:
      UserError: fewer than two ids.
    """
    if len(ids) < 2:
        raise UserError(
            f"{len(ids)} example(s): stems are paired with contexts of other examples,"
            " so two or more are needed"
        )
    rng = generator(seed, Stream.APA_DERANGEMENT)
    order = np.arange(len(ids))
    while (order == np.arange(len(ids))).any():  # 2.7 draws on average
        order = rng.permutation(len(ids))
    by_id = np.argsort(ids)
    partner = np.empty_like(order)
    partner[by_id] = by_id[order]
    return partner


def mix_vectors(
    pairs: Sequence[ContextAndStem],
    embedding: Embedding,
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> list[np.ndarray]:
    """Vectors [P, D] of each mix, computed once and cached."""

    def analyse(missing: Sequence[ContextAndStem]) -> list[CacheRow]:
        return [{"vectors": embedding.embed(_mix(p, embedding.rate))} for p in missing]

    params = embedding.params | {"mix": VERSION}
    folder = stage_folder(cache, f"mix_{embedding.metric.value}", params)
    items = {pair.key: pair for pair in pairs}
    rows = cached(folder, items, analyse, progress=progress)
    return [embedding.finish(rows[pair.key]["vectors"]) for pair in pairs]


def _mix(pair: ContextAndStem, rate: int) -> np.ndarray:
    context = clips.load(pair.context, pair.context_role, rate)
    stem = clips.load(pair.stem, pair.role, rate)
    length = min(len(context), len(stem))
    return sum_with_one_gain([context[:length], stem[:length]]).audio


def measure(
    examples: Sequence[Example],
    embedding: Embedding,
    group: np.ndarray,
    ids: Sequence[str],
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
    seed: int,
) -> Apa:
    """APA of examples with contexts.

    Args:
      examples: C examples.
      embedding: of the mixes.
      group: [C] int of `jackknife.assign_groups`.
      ids: of the examples.
      cache: folder of cached vectors.
      progress: called with the number of mixes that became available, 3 C in all.
      seed: of the derangement.

    Raises:
      UserError: fewer than two examples, or a clip that is too short to embed.
    """
    partner = derangement(ids, seed=seed)
    pairs = [
        *(ContextAndStem(e, e, "real") for e in examples),
        *(
            ContextAndStem(e, examples[k], "real")
            for e, k in zip(examples, partner, strict=True)
        ),
        *(ContextAndStem(e, e, "generated") for e in examples),
    ]
    vectors = mix_vectors(pairs, embedding, cache, progress=progress)
    C = len(examples)
    return apa(vectors[:C], vectors[C : 2 * C], vectors[2 * C :], group, ids)


def apa(
    real: Sequence[np.ndarray],
    mispaired: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    group: np.ndarray,
    ids: Sequence[str],
) -> Apa:
    """APA from vectors of mixes.

    The jackknife drops a context from all three populations.

    Args:
      real, mispaired, generated: vectors [n, D] of each mix of R, R' and C, by context.
      group: [C] int of `jackknife.assign_groups`.
      ids: of the contexts, for errors.

    Raises:
      UserError: vectors that are not finite, or of several D; the id is named.
    """
    between = [
        group_statistic(a, b, group, ids)
        for a, b in ((generated, mispaired), (generated, real), (real, mispaired))
    ]
    # smaller distances are rounding errors
    least = ROUNDING * (_trace(real, ids) + _trace(mispaired, ids))

    def unclipped(is_kept: np.ndarray) -> float:
        from_mispaired, from_real, scale = (distance(is_kept) for distance in between)
        if scale <= least:
            return np.nan
        return 0.5 + (from_mispaired - from_real) / (2 * scale)

    raw = jackknife(unclipped, group)
    estimate = from_leave_outs(
        np.clip(raw.value, 0.0, 1.0), np.clip(raw.groups, 0.0, 1.0), raw.sizes
    )
    is_defined = np.isfinite(raw.value) and np.isfinite(raw.groups).all()
    everyone = np.ones(len(group), bool)
    return Apa(
        estimate if is_defined else None,
        raw if is_defined else None,
        *(distance(everyone) for distance in between),
    )


def _trace(vectors: Sequence[np.ndarray], ids: Sequence[str]) -> float:
    """Trace of the covariance."""
    moments = population(vectors, ids)
    return float(np.trace(moments.scatter) / (moments.n - 1))

"""Accompaniment prompt adherence: do stems fit their own contexts, not just any?

    APA = 1/2 + (FD(C, R') - FD(C, R)) / (2 FD(R, R')), clipped to [0, 1]

(Grachten and Nistal 2025, arXiv 2503.06346) over mixes: R of the contexts with their real
stems, R' of the contexts with other examples' real stems, C of the contexts with the
generated stems. 1: as near to R as if the stems were the real ones; 0: as if they were
those of other songs. FD is the squared Frechet distance of any embedding; the paper
takes CLAP's, and values of two embeddings cannot be compared.
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
from stemjax.eval.populations.store import Row, cached, stage_folder
from stemjax.io.audio import sum_with_one_gain
from stemjax.io.errors import UserError
from stemjax.io.random import generator

VERSION = 1  # of how mixes are made; a change counts it up


class Pair(NamedTuple):
    """A context and a stem, not always of one example."""

    context: Example
    stem: Example
    role: str
    """Which stem of `stem`: real or generated."""

    @property
    def seconds(self) -> float:
        """The longer one is cut."""
        return min(self.context.seconds, self.stem.seconds)

    @property
    def context_role(self) -> str:
        """Which context of `context`."""
        return clips.context_role(self.context, self.role)

    @property
    def key(self) -> str:
        """Of the mix: its two clips and its length."""
        keys = [self.context.keys[self.context_role], self.stem.keys[self.role]]
        return clips.joined_key([*keys, f"{self.seconds}"])


class Apa(NamedTuple):
    """Adherence with its jackknife, and what it is made of."""

    estimate: Estimate | None
    """None: R and R' do not differ, here or without one of the groups."""
    unclipped: Estimate | None
    """The same before clipping, whose error is not hidden at 0 and 1."""
    generated_mispaired: float
    """FD(C, R')."""
    generated_real: float
    """FD(C, R)."""
    real_mispaired: float
    """FD(R, R')."""

    @property
    def remoteness(self) -> float | None:
        """The lesser distance of C from R and R' over that between them.

        Far above 1 the stems are unlike any real ones, and APA says nothing of their
        fit: silence may score 1.  None where R and R' do not differ.
        """
        if self.estimate is None:
            return None
        return min(self.generated_mispaired, self.generated_real) / self.real_mispaired


def derangement(ids: Sequence[str], *, seed: int) -> np.ndarray:
    """Which example each one gets its stem from: [C] int, never itself.

    Uniform over the permutations without a fixed point; depends on the seed and the set
    of ids, not on their order.

    Raises:
      UserError: fewer than two ids.
    """
    if len(ids) < 2:
        raise UserError(
            f"{len(ids)} example(s): stems are paired with other contexts among two or"
            " more"
        )
    rng = generator(seed, Stream.APA_DERANGEMENT)
    order = np.arange(len(ids))
    while (order == np.arange(len(ids))).any():  # 2.7 draws in the mean
        order = rng.permutation(len(ids))
    by_id = np.argsort(ids)
    partner = np.empty_like(order)
    partner[by_id] = by_id[order]
    return partner


def mix_vectors(
    pairs: Sequence[Pair],
    embedding: Embedding,
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> list[np.ndarray]:
    """The vectors [P, D] of each pair's mix, in order; each mix is embedded once."""

    def analyse(missing: Sequence[Pair]) -> list[Row]:
        return [{"vectors": embedding.embed(_mix(p, embedding.rate))} for p in missing]

    params = embedding.params | {"mix": VERSION}
    folder = stage_folder(cache, f"mix_{embedding.metric.value}", params)
    items = {pair.key: pair for pair in pairs}
    rows = cached(folder, items, analyse, progress=progress)
    return [embedding.finish(rows[pair.key]["vectors"]) for pair in pairs]


def _mix(pair: Pair, rate: int) -> np.ndarray:
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
    """APA of examples with contexts; `apa` of their three populations of mixes.

    group: [C] int of `jackknife.assign_groups`.
    progress: called with the number of mixes that came, 3 C in all.

    Raises:
      UserError: fewer than two examples, or a clip that is too short to embed.
    """
    partner = derangement(ids, seed=seed)
    pairs = [
        *(Pair(e, e, "real") for e in examples),
        *(Pair(e, examples[k], "real") for e, k in zip(examples, partner, strict=True)),
        *(Pair(e, e, "generated") for e in examples),
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
    """APA from the vectors [n, D] of each mix of R, R' and C, row by context.

    The jackknife drops a context's row from all three.

    Raises:
      UserError: vectors that are not finite, or of several D; the id is named.
    """
    between = [
        group_statistic(a, b, group, ids)
        for a, b in ((generated, mispaired), (generated, real), (real, mispaired))
    ]
    # below it, a distance is rounding
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
    """Of the covariance."""
    found = population(vectors, ids)
    return float(np.trace(found.scatter) / (found.n - 1))

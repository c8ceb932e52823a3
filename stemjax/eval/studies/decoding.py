"""Decode the missing stems of a set of examples, and score its anchors."""

import functools
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from stemjax.eval.metrics.score import ScoreSettings, score
from stemjax.eval.populations.anchors import anchors, write_anchors
from stemjax.eval.populations.clips import read_facts
from stemjax.eval.populations.decoding_run import (
    DecodingRun,
    open_decoding_run,
    unique,
    write_point_configs,
)
from stemjax.eval.populations.generate import (
    ExampleSet,
    Job,
    decode_stems,
    write_references,
)
from stemjax.eval.populations.progress import StageProgress, advance
from stemjax.eval.studies.rows import Scorer, ScoreReport


class JobShard(NamedTuple):
    """Part of a run that one job of an array decodes."""

    index: int
    """Number of the part, from 0."""
    count: int
    """Number of parts."""

    def holds(self, number: int) -> bool:
        """Whether the example of this number is in the shard."""
        return number % self.count == self.index


WHOLE = JobShard(0, 1)


def decode_missing(
    run: DecodingRun,
    jobs: Sequence[Job],
    *,
    batch_size: int,
    shard: JobShard = WHOLE,
    progress: StageProgress = lambda what, done, total: None,
) -> None:
    """Write the references and the stems of a shard that do not exist yet.

    Raises:
      UserError: the run's folder holds other examples.
    """
    open_decoding_run(run)
    pairs = [p for k, p in enumerate(run.examples.pairs) if shard.holds(k)]
    write_references(run.folder, run.examples, pairs, run.system.sample_rate)
    ids = {pair.id for pair in pairs}
    chosen = [job for job in unique(jobs) if job.pair.id in ids]
    write_point_configs(run.system, chosen)
    step = advance(progress, "decoding", len(chosen))
    step(sum(job.stem.is_file() for job in chosen))
    decode_stems(
        run.system,
        chosen,
        run.examples.read,
        batch_size=batch_size,
        progress=step,
    )


def make_scorer(
    settings: ScoreSettings, cache: pathlib.Path, progress: StageProgress
) -> Scorer:
    """A scorer that reads each file once, though many populations share it."""
    return functools.partial(
        score,
        cache=cache,
        settings=settings,
        facts=functools.cache(read_facts),
        progress=progress,
    )


def score_anchors(
    run: DecodingRun,
    others: ExampleSet,
    count: int,
    scorer: Scorer,
    progress: StageProgress = lambda what, done, total: None,
) -> dict[str, ScoreReport]:
    """Scores of the anchors that the first `count` examples allow, by name.

    others: as many examples drawn with another seed.
    """
    step = advance(progress, "anchors", len(run.examples.pairs))
    write_anchors(run, others, progress=step)
    reports = {}
    for anchor in anchors(run, others):
        triples = anchor.triples(count)
        if triples is not None:
            reports[anchor.name] = scorer(triples) | {"description": anchor.description}
    return reports

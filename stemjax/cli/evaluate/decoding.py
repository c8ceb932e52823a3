"""What `tables`, `sweep` and `tune` share: decode what is missing, score, know the cost."""

import functools
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from stemjax.cli.evaluate.decoding_arguments import Decoding, Scoring
from stemjax.cli.evaluate.score import ANALYSERS, Progress, settings_for
from stemjax.eval.metrics.score import MIN_EXAMPLES, Settings, score
from stemjax.eval.populations.anchors import anchors, write_anchors
from stemjax.eval.populations.clips import Triple, read_facts
from stemjax.eval.populations.cost import estimate, lines
from stemjax.eval.populations.decoding_run import (
    DecodingRun,
    manifest_hash,
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
from stemjax.eval.studies.rows import Report, Scorer
from stemjax.io.audio import MIN_SECONDS
from stemjax.io.errors import UserError


@contextmanager
def bar(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], Any]]:
    """A bar of progress on stderr, with the time left where the total is known."""
    from tqdm import tqdm

    with tqdm(desc=what, total=total, unit=unit, file=sys.stderr) as shown:
        yield shown.update


def shard_of(text: str) -> tuple[int, int]:
    """ "i/N" as numbers.

    Raises:
      UserError: not two whole numbers with 0 <= i < N.
    """
    index, _, count = text.partition("/")
    if index.isdigit() and count.isdigit() and int(index) < int(count):
        return int(index), int(count)
    raise UserError(f"--shard {text}: write i/N with 0 <= i < N, such as 0/4")


def check_steps(steps: Sequence[int]) -> None:
    """That every level has a step.

    Raises:
      UserError: one has none.
    """
    if steps and min(steps) < 1:
        given = " ".join(map(str, steps))
        raise UserError(f"--steps {given}: give 1 or more for each level")


def check_numbers(command: Decoding) -> None:
    """That a run can end as it begins, before anything is loaded or decoded.

    Raises:
      UserError: a number that no run can have.
    """
    shard_of(command.shard)
    for flag, value, least in (
        ("--n", command.n or MIN_EXAMPLES, MIN_EXAMPLES),
        ("--seeds", command.seeds, 1),
        ("--batch-size", command.batch_size, 1),
        ("--seed", command.seed, 0),
        ("--seconds", command.seconds, MIN_SECONDS),
    ):
        if value < least:
            raise UserError(f"{flag} {value:g}: give {least:g} or more")


def decode(
    bench: DecodingRun, jobs: Sequence[Job], *, batch_size: int, shard: str
) -> None:
    """Write the references and the stems of a shard that are not there yet."""
    index, shards = shard_of(shard)
    open_decoding_run(bench)
    pairs = bench.examples.pairs
    mine = {pair.id for k, pair in enumerate(pairs) if k % shards == index}
    write_references(
        bench.folder,
        bench.examples,
        [pair for pair in pairs if pair.id in mine],
        bench.system.sample_rate,
    )
    own = [job for job in unique(jobs) if job.pair.id in mine]
    write_point_configs(bench.system, own)
    missing = [job for job in own if not job.stem.is_file()]
    with bar("decoding", len(own), "stem") as progress:
        progress(len(own) - len(missing))
        decode_stems(
            bench.system,
            missing,
            bench.examples.read,
            batch_size=batch_size,
            progress=progress,
        )


def is_whole(shard: str) -> bool:
    """Whether a shard is all there is."""
    return shard_of(shard)[1] == 1


def scorer_of(command: Scoring, settings: Settings) -> Scorer:
    """Triples to their score; a file that several populations share is read once."""
    facts = functools.cache(read_facts)
    cache = pathlib.Path(command.cache).expanduser()

    def run(triples: Sequence[Triple]) -> Report:
        progress = Progress()
        try:
            return score(triples, cache, settings, facts=facts, progress=progress)
        finally:
            progress.close()

    return run


def measure_anchors(
    bench: DecodingRun, others: ExampleSet, count: int, scorer: Scorer
) -> dict[str, Report]:
    """The score of each anchor that these examples allow, by name."""
    pairs = bench.examples.pairs
    with bar("anchors", len(pairs), "clip") as progress:
        write_anchors(bench, others, progress=progress)
    found = ((anchor, anchor.triples(count)) for anchor in anchors(bench, others))
    return {
        anchor.name: scorer(triples) | {"says": anchor.says}
        for anchor, triples in found
        if triples is not None
    }


def print_cost(
    benches: Sequence[tuple[DecodingRun, Sequence[Job]]], batch_size: int
) -> None:
    """What decoding takes, timed on this machine."""
    for bench, jobs in benches:
        print("\n".join(lines(estimate(bench, unique(jobs), batch_size=batch_size))))


def settings_of(command: Scoring, bench: DecodingRun) -> Settings:
    """What populations of a bench are measured by."""
    return settings_for(
        bench.system.codec.identity,
        vggish=command.vggish,
        preset=command.fad_preset,
        analyser=ANALYSERS[command.notes](),
        seed=command.seed,
    )


def about_examples(command: Decoding, examples: ExampleSet) -> list[str]:
    """What the examples are, for a report."""
    songs = len({pair.song for pair in examples.pairs})
    lines = [
        f"{len(examples.pairs)} examples of {songs} songs, split {command.split}, seed"
        f" {command.seed}, manifest {manifest_hash(examples)[:12]}"
    ]
    if not command.data:
        lines.append("synthetic songs, no --data: a trial of the command, no result")
    return lines

"""Steps that `tables`, `sweep` and `listening` share: check arguments, decode, score."""

from collections.abc import Sequence

from stemjax.cli.evaluate.shared.analysers import ANALYSERS
from stemjax.cli.evaluate.shared.decoding_arguments import (
    DecodingArguments,
    ScoredDecodingArguments,
)
from stemjax.cli.evaluate.shared.folders import DELAY, cache_folder
from stemjax.cli.evaluate.shared.progress import ProgressBar
from stemjax.config.decode import FAST
from stemjax.eval.populations.cost import estimate, lines
from stemjax.eval.populations.decoding_run import DecodingRun, unique
from stemjax.eval.populations.generate import Job
from stemjax.eval.studies.decoding import WHOLE, JobShard, decode_missing, make_scorer
from stemjax.eval.studies.rows import Scorer
from stemjax.eval.studies.score_settings import make_settings
from stemjax.io.errors import UserError


def parse_shard(text: str) -> JobShard:
    """Parse "i/N".

    Raises:
      UserError: not two whole numbers with 0 <= i < N.
    """
    index, _, count = text.partition("/")
    is_number = index.isdecimal() and count.isdecimal()
    if is_number and int(index) < int(count):
        return JobShard(int(index), int(count))
    raise UserError(f"--shard {text}: write i/N with 0 <= i < N, such as 0/4")


def given_steps(steps: tuple[int, ...], *, fast: bool) -> tuple[int, ...]:
    """Steps per level of `--steps`, or those of `--fast`; () if neither is given."""
    return steps or (FAST.steps if fast else ())


def decode(
    command: DecodingArguments, work: Sequence[tuple[DecodingRun, Sequence[Job]]]
) -> bool:
    """Decode the missing stems; with `--dry-run` print the cost instead.

    Returns:
      Whether all stems exist, so that they can be scored.
    """
    if command.dry_run:
        for run, jobs in work:
            cost = estimate(run, unique(jobs), batch_size=command.batch_size)
            print("\n".join(lines(cost)))
        return False
    shard = parse_shard(command.shard)
    with ProgressBar(unit="stem") as progress:
        for run, jobs in work:
            decode_missing(
                run,
                jobs,
                batch_size=command.batch_size,
                shard=shard,
                progress=progress,
            )
    if shard != WHOLE:
        print(f"{command.out}: shard {command.shard} is decoded")
    return will_score(command)


def will_score(command: DecodingArguments) -> bool:
    """Whether the command scores the stems: not with `--dry-run` or `--shard`."""
    return not command.dry_run and parse_shard(command.shard) == WHOLE


def open_scorer(
    command: ScoredDecodingArguments, run: DecodingRun, progress: ProgressBar
) -> Scorer:
    """The scorer of a run's populations, with FD-codec of its codec."""
    settings = make_settings(
        run.system.codec.identity,
        vggish=command.vggish,
        fad_preset=command.fad_preset.value,
        analyser=ANALYSERS[command.notes](),
        seed=command.seed,
    )
    return make_scorer(settings, cache_folder(command.cache), progress)


def score_bar() -> ProgressBar:
    """A progress bar for scoring."""
    return ProgressBar(delay=DELAY)

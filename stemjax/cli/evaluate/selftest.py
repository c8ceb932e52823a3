"""`evaluate.py selftest`: check the metrics on synthetic clips with known music."""

from stemjax.analysis.extract import salience_analyser
from stemjax.cli.evaluate.shared.arguments import SelftestArguments
from stemjax.cli.evaluate.shared.progress import ProgressBar
from stemjax.eval.populations.progress import advance
from stemjax.eval.selftest import bars
from stemjax.eval.selftest.checks import table
from stemjax.eval.selftest.synthetic import make_clip
from stemjax.io.errors import UserError
from stemjax.io.json_file import write_json


def run(command: SelftestArguments) -> None:
    """Print the checks, and write their values if `--out` is given.

    Raises:
      UserError: a check that fails with 120 clips or more.
    """
    n = command.n
    analyser = salience_analyser()
    real = [make_clip(bars.REAL, k) for k in range(n)]
    other = [make_clip(bars.OTHER, k) for k in range(n)]
    spoiled = bars.corruptions(real)
    with ProgressBar() as progress:
        step = advance(progress, "analysing", n * (2 + len(spoiled)))

        def analyse(clips):
            return bars.analyse_clips(analyser, clips, step)

        analyses = analyse(real)
        checks = bars.descriptor_checks(real, analyses)
        checks += bars.mirdd_checks(
            analyses,
            analyse(other),
            {name: analyse(clips) for name, clips in spoiled.items()},
        )
    checks += bars.log_mel_checks(real, other)
    print(table(checks))
    failed = [check.name for check in checks if not check.has_passed]
    if command.out:
        values = [{"name": c.name, "value": c.value} for c in checks]
        write_json(command.out, {"n": n, "checks": values, "failed": failed})
    if failed and n >= bars.BARS_HOLD_AT:
        raise UserError(f"{len(failed)} checks failed: {', '.join(failed)}")
    if failed:
        print(
            f"{len(failed)} checks failed with {n} clips in each population; the"
            f" thresholds hold from {bars.BARS_HOLD_AT} on"
        )

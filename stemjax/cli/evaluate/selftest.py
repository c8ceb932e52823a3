"""`evaluate.py selftest`: the bars of the evaluation, measured on this machine.

The bars are those of the analyses on synthetic clips whose music is known.
"""

import sys
from typing import Any

from tqdm import tqdm

from stemjax.analysis.extract import salience_analyser
from stemjax.cli.evaluate.arguments import Selftest
from stemjax.eval.selftest import bars as selftest
from stemjax.eval.selftest.checks import table
from stemjax.eval.selftest.synthetic import make_clip
from stemjax.io.errors import UserError

MIN_CLIPS = 8


def run(command: Selftest) -> dict[str, Any]:
    """Print the table; returns it as JSON values.

    Raises:
      UserError: fewer than eight clips; a bar that does not hold on 120 clips or more.
    """
    n = command.n
    if n < MIN_CLIPS:
        raise UserError(f"--n {n}: populations need {MIN_CLIPS} clips or more")
    analyser = salience_analyser()
    real = [make_clip(selftest.REAL, k) for k in range(n)]
    other = [make_clip(selftest.OTHER, k) for k in range(n)]
    spoiled = selftest.corruptions(real)
    with tqdm(
        desc="analysing", total=n * (2 + len(spoiled)), unit="clip", file=sys.stderr
    ) as bar:

        def analyse(clips):
            return selftest.analyse_clips(analyser, clips, bar.update)

        found = analyse(real)
        checks = selftest.descriptor_checks(real, found)
        checks += selftest.mirdd_checks(
            found,
            analyse(other),
            {name: analyse(clips) for name, clips in spoiled.items()},
        )
    checks += selftest.log_mel_checks(real, other)
    print(table(checks))
    failed = [check.name for check in checks if not check.has_passed]
    if failed and n >= selftest.BARS_HOLD_AT:
        raise UserError(f"{len(failed)} bars do not hold: {', '.join(failed)}")
    if failed:
        print(
            f"{len(failed)} bars are missed with {n} clips a population; those of music"
            f" are meant for {selftest.BARS_HOLD_AT}"
        )
    return {
        "n": n,
        "checks": [{"name": c.name, "value": c.value} for c in checks],
        "failed": failed,
    }

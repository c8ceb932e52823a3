"""`python evaluate.py selftest`: the bars of the evaluation, measured on this machine.

First what is known exactly or to rounding, whatever the number of clips; then what the
analyses make of synthetic clips.
"""

import sys
from typing import Any

from tqdm import tqdm

from stemjax.eval import selftest
from stemjax.eval.checks import table
from stemjax.eval.commands.arguments import Selftest
from stemjax.eval.descriptors.extract import salience_analyser
from stemjax.eval.selftest_numerics import golden_checks
from stemjax.eval.synthetic import make_clip
from stemjax.io.errors import UserError

MIN_CLIPS = 8


def run_selftest(command: Selftest) -> dict[str, Any]:
    """Print the table; returns it as JSON values.

    Raises:
      UserError: fewer than eight clips; a golden check that fails; a bar that does not
        hold on 120 clips or more; broken weights of VGGish.
    """
    n = command.n
    if n < MIN_CLIPS:
        raise UserError(f"--n {n}: populations need {MIN_CLIPS} clips or more")
    golden = golden_checks()
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
    print(table([*golden, *checks]))
    wrong, missed = (
        [check.name for check in part if not check.has_passed]
        for part in (golden, checks)
    )
    failed = wrong + missed
    if wrong or (missed and n >= selftest.BARS_HOLD_AT):
        raise UserError(f"{len(failed)} bars do not hold: {', '.join(failed)}")
    if missed:
        print(
            f"{len(missed)} bars are missed with {n} clips a population; those of music"
            f" are meant for {selftest.BARS_HOLD_AT}"
        )
    return {
        "n": n,
        "checks": [{"name": c.name, "value": c.value} for c in [*golden, *checks]],
        "failed": failed,
    }

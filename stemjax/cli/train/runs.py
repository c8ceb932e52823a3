"""`train.py runs`: the runs below a folder in one table."""

from stemjax.cli.train.arguments import Runs
from stemjax.train.sweeps import runs_table


def run(command: Runs) -> None:
    """`runs`: what differs between runs, and what has become of each."""
    text = runs_table.report(
        command.folder, stale=command.stale, sort=command.sort, is_json=command.json
    )
    print(text)

"""`train.py runs`: print the runs below a folder as a table."""

from stemjax.cli.train.arguments import RunsCommand
from stemjax.train.sweeps import runs_table


def run(command: RunsCommand) -> None:
    """Print the settings that differ between the runs, and the status of each."""
    text = runs_table.report(
        command.folder, stale=command.stale, sort=command.sort, is_json=command.json
    )
    print(text)

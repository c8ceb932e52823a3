"""Commands `stemjax sample|layer|edit|batch` and `python sample.py`."""

import importlib
import sys

from stemjax.cli.sample import arguments
from stemjax.io.process.command_line import parse

COMMANDS = {
    "sample": arguments.SampleArguments,
    "layer": arguments.LayerArguments,
    "edit": arguments.EditArguments,
    "batch": arguments.BatchArguments,
}
"""Commands and their arguments; the module of the same name has the function `run`."""


def run_command(name: str, argv: list[str], *, prog: str) -> None:
    """Parse the arguments of a command, then import and run it."""
    parsed = parse(COMMANDS[name], argv, prog=prog)

    from stemjax.io.errors import exit_on_bad_input
    from stemjax.io.process.allocator import keep_memory

    keep_memory()
    with exit_on_bad_input():
        importlib.import_module(f"stemjax.cli.sample.{name}").run(parsed)


def main(argv: list[str] | None = None) -> None:
    """Run `python sample.py [layer|edit|batch] ...`; the default command is sample."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        run_command(argv[0], argv[1:], prog=f"sample.py {argv[0]}")
    else:
        run_command("sample", argv, prog="sample.py")

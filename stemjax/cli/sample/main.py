"""`stemjax sample|layer|edit|batch` and `python sample.py`: stems for a recording."""

import importlib
import sys

import tyro

from stemjax.cli.sample import arguments

# command -> its settings and the module whose `run` executes it
COMMANDS = {
    "sample": (arguments.Answer, "answer"),
    "layer": (arguments.Layer, "layer"),
    "edit": (arguments.Edit, "edit"),
    "batch": (arguments.Batch, "batch"),
}


def run_command(name: str, argv: list[str], *, prog: str) -> None:
    """Run one command. Heavy imports wait until the arguments are parsed."""
    settings, module = COMMANDS[name]
    command = tyro.cli(settings, args=argv, prog=prog)

    from stemjax.io.allocator import keep_memory
    from stemjax.io.errors import exit_on_bad_input

    keep_memory()
    with exit_on_bad_input():
        importlib.import_module(f"stemjax.cli.sample.{module}").run(command)


def main(argv: list[str] | None = None) -> None:
    """`python sample.py [layer|edit|batch] ...`: without such a word, `sample`."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        run_command(argv[0], argv[1:], prog=f"sample.py {argv[0]}")
    else:
        run_command("sample", argv, prog="sample.py")

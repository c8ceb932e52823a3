"""Command `stemjax`, also `python -m stemjax`.  Imports a command only to run it."""

import importlib
import sys
from typing import Any, NamedTuple

from stemjax.io.errors import exit_on_bad_input, fail


class Command(NamedTuple):
    """A subcommand: the function that runs it, called with (*arguments, argv, prog=)."""

    module: str
    function: str
    arguments: tuple[str, ...]
    summary: str


def _sample(name: str, summary: str) -> Command:
    return Command("stemjax.cli.sample.main", "run_command", (name,), summary)


def _train(name: str, summary: str) -> Command:
    return Command("stemjax.cli.train.main", "tool", (name,), summary)


def _main(module: str, summary: str) -> Command:
    return Command(module, "main", (), summary)


GROUPS = {
    "Make stems": {
        "sample": _sample("sample", "generate a stem for a context mix"),
        "layer": _sample("layer", "generate several stems, one on top of the other"),
        "edit": _sample("edit", "regenerate part of a stem"),
        "batch": _sample("batch", "generate stems for every recording of a folder"),
        "demo": _main("stemjax.cli.tools.demo", "serve a page for the browser"),
    },
    "Train": {
        "prepare": _main("stemjax.data.prepare", "convert songs with stems to records"),
        "render": _main("stemjax.data.render.__main__", "render MIDI files to stems"),
        "tokens": _train("tokens", "encode a prepared folder once, for fast training"),
        "train": Command("stemjax.cli.train.main", "train", (), "train a preset"),
        "runs": _train("runs", "list the runs below a folder"),
        "export": _train("export", "write a release folder from a workdir"),
        "import-codec": _train("import-codec", "convert published EnCodec weights"),
    },
    "Measure": {
        "evaluate": _main("stemjax.cli.evaluate.main", "scores, tables, sweeps"),
        "doctor": _main(
            "stemjax.cli.tools.doctor",
            "show versions, devices, weights, what is missing",
        ),
    },
}
COMMANDS = {name: c for group in GROUPS.values() for name, c in group.items()}


def main(argv: list[str] | None = None) -> None:
    """Run the subcommand named by the first argument; without one, print the help."""
    argv = sys.argv[1:] if argv is None else argv
    name = argv[0] if argv else "--help"
    if name in ("-h", "--help"):
        with exit_on_bad_input():
            print(help_text())
    elif name in COMMANDS:
        command = COMMANDS[name]
        run(*command[:2], *command.arguments, argv[1:], prog=f"stemjax {name}")
    else:
        fail(f"no command {name!r}; see stemjax --help")


def run(module: str, function: str, *arguments: Any, **options: Any) -> None:
    """Import a module and call a function of it; Ctrl-C is one line even meanwhile."""
    with exit_on_bad_input():
        getattr(importlib.import_module(module), function)(*arguments, **options)


def help_text() -> str:
    """Help of `stemjax`."""
    lines = [
        "usage: stemjax COMMAND [--help] [...]",
        "",
        "StemGen in JAX: a music model that generates a stem for a context mix.",
        "stemjax COMMAND --help lists the options of a command.",
    ]
    for title, commands in GROUPS.items():
        lines += ["", title]
        lines += [f"  {name:14}{command.summary}" for name, command in commands.items()]
    return "\n".join(lines)

"""`stemjax train|tokens|export|import-codec|runs` and `python train.py`."""

import importlib
import sys
from typing import Annotated, Any, Union

import tyro

from stemjax.cli.train.arguments import (
    ExportCommand,
    ImportCodecCommand,
    RunsCommand,
    TokensCommand,
    TrainCommand,
)
from stemjax.config.presets import PRESETS
from stemjax.config.runs import Invocation, Run
from stemjax.config.train import traced_steps
from stemjax.io.errors import UserError, fail
from stemjax.io.process import command_line
from stemjax.io.process.places import check_checkpoint_folder, check_folder
from stemjax.io.process.signals import CONTINUES, EndSignals
from stemjax.train.planning.targets import check_request
from stemjax.train.sweeps.sweep import select

TOOLS: dict[str, tuple[type, str]] = {
    "tokens": (TokensCommand, "tokens"),
    "export": (ExportCommand, "export"),
    "import-codec": (ImportCodecCommand, "import_codec"),
    "runs": (RunsCommand, "runs"),
}
"""Settings of each command, and the module whose `run` executes it."""
PREPARE = "stemjax prepare --layout NAME --input DIR --out DIR"


def main(argv: list[str] | None = None) -> None:
    """`python train.py PRESET|tokens|export|import-codec|runs ...`."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in TOOLS:
        tool(argv[0], argv[1:], prog=f"train.py {argv[0]}")
    else:
        train(argv, prog="train.py")


def tool(name: str, argv: list[str], *, prog: str) -> None:
    """Run one of the commands beside training."""
    settings, module = TOOLS[name]
    command = command_line.parse(settings, argv, prog=prog)
    advice = CONTINUES if name == "tokens" else ""

    from stemjax.io.errors import exit_on_bad_input
    from stemjax.io.process.allocator import keep_memory

    keep_memory()
    with EndSignals(advice), exit_on_bad_input():
        importlib.import_module(f"stemjax.cli.train.{module}").run(command)


def train(argv: list[str], *, prog: str) -> None:
    """Train a preset; exits with the code of the run's outcome."""
    if argv and not argv[0].startswith("-") and argv[0] not in PRESETS:
        fail(f"no preset {argv[0]!r}: one of {', '.join(PRESETS)}")
    command = parse(argv, prog)
    name = argv[0]

    from stemjax.io.errors import exit_on_bad_input
    from stemjax.io.process.allocator import keep_memory

    keep_memory()
    with EndSignals(CONTINUES), exit_on_bad_input():
        selected = select(command.run, command.invocation)
        if selected is None:
            return
        run, invocation = selected
        check(name, run, invocation)

        from stemjax.cli.train import train as training
        from stemjax.train.processes import ending_together, join

        if not invocation.dry_run:
            join(invocation)
        with ending_together(UserError, OSError):
            sys.exit(training.train(PRESETS[name], run, invocation))


def parse(argv: list[str], prog: str) -> TrainCommand[Any]:
    """The command of a preset.  Imports neither jax nor TensorFlow."""
    presets = [
        Annotated[
            TrainCommand[type(preset.run)],
            tyro.conf.subcommand(
                name, default=TrainCommand(run=preset.run), description=preset.about
            ),
        ]
        for name, preset in PRESETS.items()
    ]
    return command_line.parse(
        Union[tuple(presets)],  # noqa: UP007  (made from a table)
        argv,
        prog=prog,
        description="Train a preset. Other commands: " + ", ".join(TOOLS) + ".",
    )


def check(name: str, run: Run, invocation: Invocation) -> None:
    """Check what the command line alone decides, before anything is loaded.

    Raises:
      UserError: flags that do not go together, or a flag that is missing.
    """
    check_request(invocation)
    if invocation.profile_steps is not None:
        try:
            traced_steps(invocation.profile_steps)
        except ValueError as error:
            raise UserError(str(error)) from None
    if invocation.dry_run:
        return
    if invocation.workdir is None:
        raise UserError(f"train {name}: give --workdir DIR")
    try:
        check_folder(invocation.workdir)
        check_checkpoint_folder(invocation.workdir)
    except ValueError as error:
        raise UserError(f"--workdir {error}") from None
    if run.data is None and not PRESETS[name].is_self_contained:
        raise UserError(
            f"train {name}: give --data DIR, a prepared folder; make one with"
            f" `{PREPARE}`"
        )

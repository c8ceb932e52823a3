"""`stemjax train|tokens|export|import-codec|runs` and `python train.py`."""

import importlib
import signal
import sys
from typing import Annotated, Any, Union

import tyro

from stemjax.cli.train.arguments import Export, ImportCodec, Runs, Tokens
from stemjax.config.presets import PRESETS
from stemjax.train.sweeps.sweep import chosen

# command -> its settings and the module whose `run` executes it
TOOLS = {
    "tokens": (Tokens, "tokens"),
    "export": (Export, "export"),
    "import-codec": (ImportCodec, "import_codec"),
    "runs": (Runs, "runs"),
}
CONFIG = (tyro.conf.EnumChoicesFromValues,)


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
    command = tyro.cli(settings, args=argv, prog=prog, config=CONFIG)
    _exit_on_sigterm()

    from stemjax.io.allocator import keep_memory
    from stemjax.io.errors import exit_on_bad_input

    keep_memory()
    with exit_on_bad_input():
        importlib.import_module(f"stemjax.cli.train.{module}").run(command)


def train(argv: list[str], *, prog: str) -> None:
    """Train a preset; exits with the code of the run's outcome."""
    run = parse(argv, prog)
    preset = argv[0]
    _exit_on_sigterm()

    from stemjax.io.allocator import keep_memory
    from stemjax.io.errors import UserError, exit_on_bad_input

    keep_memory()
    with exit_on_bad_input():
        run = chosen(run)
        if run is None:
            return  # --sweep without --index prints its table and ends
        from stemjax.cli.train.train import check, train
        from stemjax.train.processes import ending_together, join

        check(preset, run)
        if not run.dry_run:
            join(run)
        with ending_together(UserError, OSError):
            sys.exit(train(preset, run))


def parse(argv: list[str], prog: str) -> Any:
    """The settings of a run. Imports neither jax nor TensorFlow."""
    kinds = [
        Annotated[
            type(run),
            tyro.conf.subcommand(name, default=run, description=f"Preset {name}."),
        ]
        for name, run in PRESETS.items()
    ]
    choice = Union[tuple(kinds)]  # noqa: UP007  (made from a table)
    return tyro.cli(
        choice,
        args=argv,
        prog=prog,
        config=CONFIG,
        description="Train a preset. Other commands: " + ", ".join(TOOLS) + ".",
    )


def _exit_on_sigterm() -> None:
    """Until `fit` takes over there is nothing to save."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))

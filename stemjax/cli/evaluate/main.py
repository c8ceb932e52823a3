"""The commands of `python evaluate.py` and `stemjax evaluate`."""

import importlib
import sys
from typing import Annotated, Any, Union

import tyro

from stemjax.cli.evaluate.shared import arguments, decoding_arguments
from stemjax.io.process import command_line

COMMANDS = {
    "score": arguments.ScoreArguments,
    "compare": arguments.CompareArguments,
    "report": arguments.ReportArguments,
    "per-clip": arguments.PerClipArguments,
    "make-manifest": decoding_arguments.MakeManifestArguments,
    "generate": decoding_arguments.GenerateArguments,
    "sweep": decoding_arguments.SweepArguments,
    "tables": decoding_arguments.TablesArguments,
    "listening": decoding_arguments.ListeningArguments,
    "classifier": decoding_arguments.ClassifierArguments,
    "context-gain": decoding_arguments.ContextGainArguments,
    "codec-table": decoding_arguments.CodecTableArguments,
    "selftest": arguments.SelftestArguments,
    "convert-vggish": arguments.ConvertVggishArguments,
}
"""Arguments by command; `run` of the module of the same name executes it."""


def main(argv: list[str] | None = None, *, prog: str = "stemjax evaluate") -> None:
    """Parse one command and run it."""
    command = parse(sys.argv[1:] if argv is None else argv, prog)

    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.errors import exit_on_bad_input
    from stemjax.io.process.allocator import keep_memory

    keep_memory()
    with exit_on_bad_input():
        use_compilation_cache()
        name = next(n for n, kind in COMMANDS.items() if type(command) is kind)
        module = f"stemjax.cli.evaluate.{name.replace('-', '_')}"
        importlib.import_module(module).run(command)


def parse(argv: list[str], prog: str) -> Any:
    """Arguments of one command; imports neither jax nor TensorFlow."""
    kinds = [
        Annotated[kind, tyro.conf.subcommand(name)] for name, kind in COMMANDS.items()
    ]
    choice = Union[tuple(kinds)]  # noqa: UP007  (made from a table)
    return command_line.parse(
        choice, argv, prog=prog, description="Measure models and codecs."
    )

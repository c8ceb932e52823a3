"""`stemjax evaluate COMMAND` and `python evaluate.py COMMAND`: measure models and codecs."""

import importlib
import json
import sys
from typing import Annotated, Any, Union

import tyro

from stemjax.cli.evaluate import arguments, decoding_arguments, listening_arguments

MODULES = {  # settings of a command -> the module whose `run` executes it
    arguments.Score: "score",
    arguments.Compare: "compare",
    arguments.Report: "report",
    arguments.PerClip: "per_clip",
    arguments.MakeManifest: "make_manifest",
    arguments.Generate: "generate",
    decoding_arguments.Sweep: "sweep",
    decoding_arguments.Tables: "tables",
    listening_arguments.Listening: "listening",
    listening_arguments.Classifier: "classifier",
    arguments.ContextGain: "context_gain",
    arguments.CodecTable: "codec_table",
    arguments.Selftest: "selftest",
    arguments.ConvertVggish: "convert_vggish",
}
# commands that return a report, which goes to the file --out
JSON_REPORTS = (
    arguments.Compare,
    arguments.ContextGain,
    arguments.CodecTable,
    arguments.Selftest,
)


def main(argv: list[str] | None = None, *, prog: str = "stemjax evaluate") -> None:
    """Parse one command and run it."""
    command = parse(sys.argv[1:] if argv is None else argv, prog)

    from stemjax.io.allocator import keep_memory
    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.errors import exit_on_bad_input

    keep_memory()
    with exit_on_bad_input():
        use_compilation_cache()
        module = MODULES[type(command)]
        report = importlib.import_module(f"stemjax.cli.evaluate.{module}").run(command)
        if isinstance(command, JSON_REPORTS) and command.out:
            from stemjax.io.atomic import write_text

            write_text(command.out, json.dumps(report, indent=2, sort_keys=True) + "\n")


def parse(argv: list[str], prog: str) -> Any:
    """The settings of one command. Imports neither jax nor TensorFlow."""
    kinds = [
        Annotated[kind, tyro.conf.subcommand(module.replace("_", "-"))]
        for kind, module in MODULES.items()
    ]
    choice = Union[tuple(kinds)]  # noqa: UP007  (made from a table)
    return tyro.cli(
        choice, args=argv, prog=prog, description="Measure models and codecs."
    )

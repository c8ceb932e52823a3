"""Give a recording and an instrument, get a stem: `python sample.py --help`."""

import importlib
import sys
from typing import Annotated

import tyro

from stemjax.session.commands import arguments

COMMANDS = {  # first word -> what it can be asked, where it is done
    "layer": (arguments.Layer, "layer"),
    "edit": (arguments.Edit, "edit"),
    "batch": (arguments.Batch, "batch"),
}
ANSWER = (arguments.Answer, "answer")  # without one of these words


def main(argv: Annotated[list[str] | None, tyro.conf.Suppress] = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    word = argv[0] if argv and argv[0] in COMMANDS else ""
    asked, room = COMMANDS.get(word, ANSWER)
    command = tyro.cli(
        asked,
        args=argv[1:] if word else argv,
        prog=f"sample.py {word}".rstrip(),
    )

    from stemjax.io.allocator import keep_memory
    from stemjax.io.errors import exit_on_bad_input

    keep_memory()
    with exit_on_bad_input():
        importlib.import_module(f"stemjax.session.commands.{room}").run(command)


if __name__ == "__main__":
    main()

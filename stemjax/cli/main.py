"""The command `stemjax`, also `python -m stemjax`."""

import sys
from collections.abc import Callable

HELP = """usage: stemjax COMMAND [--help] [...]

Make stems
  sample        answer a recording with a stem
  layer         stack stems: each answers the mix so far
  edit          make part of a stem anew
  batch         answer every recording of a folder
  demo          serve the page for the browser

Train
  prepare       cut songs split into stems into records
  render        render MIDI, or composed songs, as stems
  tokens        encode a prepared folder once, for fast training
  train         train a preset
  runs          print the runs below a folder as a table
  export        write a release folder from a workdir
  import-codec  convert published EnCodec weights

Measure
  evaluate      scores, tables, sweeps: stemjax evaluate --help
  doctor        print what this machine has and what is missing"""


def main(argv: list[str] | None = None) -> None:
    """Run the command that the first word names."""
    argv = sys.argv[1:] if argv is None else argv
    name, rest = (argv[0], argv[1:]) if argv else ("--help", [])
    if name in ("-h", "--help"):
        print(HELP)
        return
    run = command_of(name)
    if run is None:
        print(f"error: no command {name!r}; see stemjax --help", file=sys.stderr)
        sys.exit(2)
    run(rest, f"stemjax {name}")


def command_of(name: str) -> Callable[[list[str], str], None] | None:
    """The function of a command, called with (arguments, program name)."""
    if name in ("sample", "layer", "edit", "batch"):
        from stemjax.cli.sample.main import run_command as sample

        return lambda argv, prog: sample(name, argv, prog=prog)
    if name == "train":
        from stemjax.cli.train.main import train

        return lambda argv, prog: train(argv, prog=prog)
    if name in ("tokens", "runs", "export", "import-codec"):
        from stemjax.cli.train.main import tool

        return lambda argv, prog: tool(name, argv, prog=prog)
    if name == "evaluate":
        from stemjax.cli.evaluate.main import main as evaluate

        return lambda argv, prog: evaluate(argv, prog=prog)
    if name == "prepare":
        from stemjax.data.prepare import main as prepare

        return lambda argv, prog: prepare(argv, prog=prog)
    if name == "render":
        from stemjax.data.render.__main__ import main as render

        return lambda argv, prog: render(argv, prog=prog)
    if name == "doctor":
        from stemjax.cli.tools.doctor import main as doctor

        return lambda argv, prog: doctor(argv, prog=prog)
    if name == "demo":
        from stemjax.cli.tools.demo import main as demo

        return lambda argv, prog: demo(argv, prog=prog)
    return None

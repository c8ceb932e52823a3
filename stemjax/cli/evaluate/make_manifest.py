"""`evaluate.py make-manifest`: the evaluation pairs of a prepared folder, one row each."""

from stemjax.cli.evaluate.arguments import MakeManifest
from stemjax.data.drawing.evaluation_pairs import make_pairs, summary_lines, to_lines
from stemjax.data.spec import open_audio
from stemjax.io.atomic import write_text


def run(command: MakeManifest) -> None:
    """Draw the pairs, write them, print the number of each category."""
    pairs = make_pairs(
        open_audio(command.data),
        split=command.split,
        count=command.n,
        seed=command.seed,
        crop_seconds=command.seconds,
    )
    write_text(command.out, to_lines(pairs))
    print("\n".join(summary_lines(pairs, command.out)))

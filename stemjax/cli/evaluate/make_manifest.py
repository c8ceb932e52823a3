"""`evaluate.py make-manifest`: evaluation pairs of a prepared folder, one row each."""

from stemjax.cli.evaluate.shared.decoding_arguments import MakeManifestArguments
from stemjax.data.drawing.evaluation_pairs import make_pairs, summary_lines, to_lines
from stemjax.data.spec import open_audio
from stemjax.io.atomic import write_text


def run(command: MakeManifestArguments) -> None:
    """Draw the pairs, write them, print the number of pairs of each category.

    Raises:
      UserError: bad data, or no crop with two stems.
    """
    pairs = make_pairs(
        open_audio(command.data),
        split=command.split,
        count=command.n,
        seed=command.seed,
        crop_seconds=command.seconds,
    )
    write_text(command.out, to_lines(pairs))
    print("\n".join(summary_lines(pairs, command.out)))

"""`evaluate.py compare`: paired differences of two scores of the same examples."""

from stemjax.cli.evaluate.shared.arguments import CompareArguments
from stemjax.eval.metrics import compare
from stemjax.eval.metrics.score_file import read_score
from stemjax.io.json_file import write_json


def run(command: CompareArguments) -> None:
    """Print the differences, and write them if `--out` is given.

    Raises:
      UserError: bad files, or scores that are not comparable.
    """
    result = compare.compare(read_score(command.a), read_score(command.b))
    if command.out:
        write_json(command.out, result)
    print(compare.table(result))

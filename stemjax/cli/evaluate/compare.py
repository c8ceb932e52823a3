"""`evaluate.py compare`: paired differences of two scores of the same examples."""

from stemjax.cli.evaluate.shared.arguments import CompareArguments
from stemjax.cli.evaluate.shared.output import read_score, write_json
from stemjax.eval.metrics import compare


def run(command: CompareArguments) -> None:
    """Print the differences, and write them if `--out` is given.

    Raises:
      UserError: bad files, or scores that are not comparable.
    """
    result = compare.compare(read_score(command.a), read_score(command.b))
    if command.out:
        write_json(command.out, result)
    print(compare.table(result))

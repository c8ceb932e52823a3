"""`evaluate.py compare`: paired differences of two scores on the same examples."""

from typing import Any

from stemjax.cli.evaluate.arguments import Compare
from stemjax.cli.evaluate.score import read_score
from stemjax.eval.metrics import compare


def run(command: Compare) -> dict[str, Any]:
    """Print the differences; returns them."""
    result = compare.compare(read_score(command.a), read_score(command.b))
    print(compare.table(result))
    return result

"""`evaluate.py convert-vggish`: VGGish's published weights as a safetensors file."""

from stemjax.cli.evaluate.arguments import ConvertVggish
from stemjax.eval.metrics.vggish.weights import convert


def run(command: ConvertVggish) -> None:
    """Convert the weights and print their hash.

    Raises:
      UserError: weights that fail the smoke test.
    """
    weights = convert(command.source, command.out)
    print(f"{command.out}: VGGish, sha256 {weights.sha256[:12]}, smoke test passed")

"""`evaluate.py convert-vggish`: VGGish's published weights as a safetensors file."""

from stemjax.cli.evaluate.shared.arguments import ConvertVggishArguments
from stemjax.eval.metrics.vggish.weights import convert


def run(command: ConvertVggishArguments) -> None:
    """Convert the weights and print their hash.

    Raises:
      UserError: a bad file, or weights that do not give the reference values.
    """
    weights = convert(command.source, command.out)
    print(f"{command.out}: VGGish, sha256 {weights.sha256[:12]}, smoke test passed")

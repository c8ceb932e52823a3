"""`train.py import-codec`: convert published EnCodec weights into a release folder."""

from stemjax.cli.train.arguments import ImportCodecCommand
from stemjax.codec.import_published import convert


def run(command: ImportCodecCommand) -> None:
    """Write the release folder and print its number of codebooks."""
    config = convert(command.source, command.out)
    print(f"{command.out}: {config['model']['num_codebooks']} codebooks")

"""`train.py import-codec`: a release folder from published EnCodec weights."""

from stemjax.cli.train.arguments import ImportCodec
from stemjax.codec.import_published import convert


def run(command: ImportCodec) -> None:
    """`import-codec`: the published layout in, a release folder out."""
    config = convert(command.source, command.out)
    print(f"{command.out}: {config['model']['num_codebooks']} codebooks")

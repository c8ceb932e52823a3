"""`train.py export`: a release folder from a workdir."""

import pathlib

from stemjax.cli.train.arguments import Dtype, Export
from stemjax.train.export import export


def run(command: Export) -> None:
    """`export`: a release folder from a workdir."""
    card = (
        pathlib.Path(command.card).read_text(encoding="utf-8") if command.card else ""
    )
    config = export(
        command.workdir,
        command.out,
        is_half=command.dtype is Dtype.BFLOAT16,
        name=command.name,
        version=command.version,
        card=card,
    )
    print(f"{command.out}: {config['kind']} of step {config['steps']}")

"""`train.py export`: write a release folder from a workdir."""

import pathlib

from stemjax.cli.train.arguments import ExportCommand, WeightType
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_bytes
from stemjax.train.export import export


def run(command: ExportCommand) -> None:
    """Write a release folder and print its kind and step.

    Raises:
      UserError: no workdir, no checkpoint, or no card file.
    """
    config = export(
        command.workdir,
        command.out,
        is_half=command.dtype is WeightType.BFLOAT16,
        name=command.name,
        version=command.version,
        card=None if command.card is None else _read_card(pathlib.Path(command.card)),
    )
    print(f"{command.out}: {config['kind']} of step {config['steps']}")


def _read_card(path: pathlib.Path) -> str:
    content = read_bytes(path, mend="give --card a text", most=1_000_000)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"--card {path}: not UTF-8; save it as UTF-8 text") from None

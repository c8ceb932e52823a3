"""Folders of stems given on the command line."""

import pathlib

from stemjax.cli.evaluate.shared.arguments import CACHE, PopulationArguments
from stemjax.io.cache import cache_base, user_path
from stemjax.io.errors import UserError

DELAY = 2.0  # seconds before a progress bar appears


def stem_folders(command: PopulationArguments) -> tuple[str, str]:
    """Folders of real and of generated stems.

    Raises:
      UserError: neither a run nor two folders, or a run that does not exist.
    """
    run = pathlib.Path(command.run)
    if command.run and not run.is_dir():
        raise UserError(
            f"{run}: no such folder; give the folder that `stemjax evaluate generate` wrote"
        )
    if not command.run and not (command.real and command.generated):
        raise UserError("give --run, or --real and --generated")
    real = command.real or str(run / "real")
    return real, command.generated or str(run / "generated")


def cache_folder(cache: str) -> pathlib.Path:
    """Folder of cached analyses: that of the user by default, else with ~ expanded."""
    if cache == CACHE:
        return cache_base() / CACHE.removeprefix("~/.cache/")
    return user_path(cache)

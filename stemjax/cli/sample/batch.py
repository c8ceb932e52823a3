"""Command `stemjax batch`: generate stems for every recording of a folder."""

import pathlib
import time

from stemjax.cli.sample import inputs
from stemjax.cli.sample.arguments import BatchArguments
from stemjax.cli.sample.sample import REPORT, sample_recording
from stemjax.config.categories import CATEGORIES
from stemjax.io.errors import UserError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def run(arguments: BatchArguments) -> None:
    """Generate the stems that do not exist yet.

    A recording that cannot be used is skipped and reported at the end.

    Raises:
      UserError: no recordings, or some were skipped.
    """
    categories = inputs.parse_instruments(arguments.instruments)
    folder, out = pathlib.Path(arguments.contexts), pathlib.Path(arguments.out)
    recordings = find_recordings(folder)
    model, config = inputs.load_model(arguments)
    errors: list[str] = []
    for number, path in enumerate(recordings, start=1):
        for category in categories:
            destination = out / path.stem / CATEGORIES[category]
            print(f"{number}/{len(recordings)} {path.name}: {CATEGORIES[category]}")
            if (destination / REPORT).is_file():
                continue
            try:
                sample_recording(
                    model,
                    config,
                    arguments,
                    path,
                    category,
                    destination,
                    started=time.perf_counter(),
                    timings={},
                )
            except UserError as error:
                errors.append(str(error))
                break
    if errors:
        more = f" ({len(errors)} recordings were skipped)" if errors[1:] else ""
        raise UserError(f"{errors[0]}{more}; the others are in {out}")


def find_recordings(folder: pathlib.Path) -> list[pathlib.Path]:
    """The audio files of a folder, sorted by name.

    Raises:
      UserError: no such folder, no audio files, or two that differ only in their ending.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a folder of recordings")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES)
    if not paths:
        raise UserError(f"{folder}: no wav, flac, ogg or mp3 in it; add recordings")
    names = [path.stem for path in paths]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise UserError(f"{folder}: two recordings are called {twice}; rename one")
    return paths

"""`python sample.py batch`: every recording of a folder, every instrument."""

import pathlib
import time

from stemjax.cli.sample import answer, opening
from stemjax.cli.sample.arguments import Batch
from stemjax.config.categories import CATEGORIES
from stemjax.eval.populations.clips import SUFFIXES
from stemjax.io.errors import UserError


def run(command: Batch) -> None:
    """Answer what is not answered yet; recordings that cannot be are told at the end.

    Raises:
      UserError: no recordings, or the first of those that could not be answered.
    """
    categories = opening.categories_of(command.instruments)
    folder, out = pathlib.Path(command.contexts), pathlib.Path(command.out)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give one of recordings")
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{folder}: no wav, flac, ogg or mp3 to answer")
    names = [file.stem for file in files]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise UserError(f"{folder}: two recordings are called {twice}; rename one")
    model, config = opening.load(command)
    refused: list[str] = []
    for number, file in enumerate(files, start=1):
        for category in categories:
            here = out / file.stem / CATEGORIES[category]
            print(f"{number}/{len(files)} {file.name}: {CATEGORIES[category]}")
            if (here / answer.REPORT).is_file():
                continue
            started = time.perf_counter()
            asked = answer.Asked(file, category, here)
            try:
                report = answer.answer(model, config, command, asked)
            except UserError as error:
                refused.append(str(error))
                break
            report["timings"] |= {"total": time.perf_counter() - started}
            answer.save_report(here, report)
            answer.say(report, here)
    if refused:
        more = f" ({len(refused)} recordings were left out)" if refused[1:] else ""
        raise UserError(f"{refused[0]}{more}; the others are in {out}")

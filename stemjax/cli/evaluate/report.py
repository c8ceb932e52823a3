"""`evaluate.py report`: several scores in one table."""

import json
import pathlib
from collections.abc import Sequence

from stemjax.cli.evaluate.arguments import Report
from stemjax.cli.evaluate.score import METRICS_FILE, read_score
from stemjax.eval.reports import overview
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError


def run(command: Report) -> None:
    """Write report.md, csv, tex, json and png; print the page.

    Raises:
      UserError: no score, or files that are none; names that do not tell them apart;
        scores that cannot be compared.
    """
    names = names_of(command.scores, command.name)
    scores = dict(zip(names, map(read_score, command.scores), strict=True))
    found = overview.overview(scores, forces=command.force)
    page = overview.markdown(found, scores)
    text = json.dumps(overview.as_json(scores, found), indent=1, sort_keys=True) + "\n"
    out = pathlib.Path(command.out)
    overview.save_picture(out / "report.png", scores)
    write_text(out / "report.csv", overview.csv(found))
    write_text(out / "report.tex", overview.latex(found))
    write_text(out / "report.json", text)
    write_text(out / "report.md", page)
    print(page, end="")


def names_of(paths: Sequence[str], given: Sequence[str]) -> list[str]:
    """A name for each score: the given ones, else those of the folders or files.

    Raises:
      UserError: no score, another number of names, or a name twice.
    """
    if not paths:
        raise UserError("give metrics.json files, or folders that `score` wrote")
    if given and len(given) != len(paths):
        raise UserError(
            f"{len(given)} --name for {len(paths)} scores; give one for each or none"
        )
    names = list(given) or [name_of(path) for path in paths]
    for name in names:
        if not name.strip() or names.count(name) > 1:
            raise UserError(f"the name {name!r} is of two rows or empty; give --name")
    return names


def name_of(path: str) -> str:
    """Of a score's folder; of a file that is not metrics.json, its own."""
    file = pathlib.Path(path).resolve()
    if file.name == METRICS_FILE:
        return file.parent.name
    return file.stem if file.suffix == ".json" else file.name

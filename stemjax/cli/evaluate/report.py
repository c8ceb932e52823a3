"""`evaluate.py report`: several scores in one table."""

import functools
import pathlib
from collections.abc import Sequence

from stemjax.cli.evaluate.shared.arguments import ReportArguments
from stemjax.eval.metrics.score_file import METRICS_FILE, read_score
from stemjax.eval.reports import overview
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.json_file import write_json
from stemjax.io.picture import draw_or_warn


def run(command: ReportArguments) -> None:
    """Write report.md, csv, tex, json and png; print the page.

    Raises:
      UserError: no score, bad files, ambiguous names, or scores that are not comparable.
    """
    names = row_names(command.scores, command.name)
    scores = dict(zip(names, map(read_score, command.scores), strict=True))
    tables = overview.overview(scores, forces=command.force)
    page = overview.markdown(tables, scores)
    out = pathlib.Path(command.out)
    write_text(out / "report.csv", overview.csv(tables))
    write_text(out / "report.tex", overview.latex(tables))
    write_json(out / "report.json", overview.as_json(scores, tables))
    write_text(out / "report.md", page)
    print(page, end="")
    picture = out / "report.png"
    draw_or_warn(picture, functools.partial(overview.save_picture, picture, scores))


def row_names(paths: Sequence[str], names: Sequence[str]) -> list[str]:
    """A name for each score: the given names, or those of the folders or files.

    Raises:
      UserError: no score, another number of names, a name twice, or an empty name.
    """
    if not paths:
        raise UserError("give metrics.json files, or folders that `score` wrote")
    if names and len(names) != len(paths):
        raise UserError(
            f"{len(names)} --name for {len(paths)} scores; give one for each or none"
        )
    rows = list(names) or [score_name(path) for path in paths]
    for name in rows:
        if not name.strip() or rows.count(name) > 1:
            raise UserError(f"the name {name!r} is empty or occurs twice; give --name")
    return rows


def score_name(path: str) -> str:
    """Name of a score's folder; of a JSON file with another name, its own name."""
    file = pathlib.Path(path).resolve()
    if file.name == METRICS_FILE:
        return file.parent.name
    return file.stem if file.suffix == ".json" else file.name

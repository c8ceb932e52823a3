"""`evaluate.py sweep`: a grid of decoding settings, scored on one set of examples."""

import functools
import pathlib
from collections.abc import Mapping, Sequence

from stemjax.cli.evaluate.shared.decoding import (
    decode,
    open_scorer,
    score_bar,
)
from stemjax.cli.evaluate.shared.decoding_arguments import SweepArguments
from stemjax.cli.evaluate.shared.examples import (
    describe_examples,
    draw_other_examples,
    load_run,
)
from stemjax.config.decode import FAST, DecodeConfig
from stemjax.config.runs import to_json
from stemjax.config.sweeps import TableRow, with_steps
from stemjax.eval.metrics.score import FORMAT
from stemjax.eval.populations.decoding_run import DecodingRun, manifest_hash
from stemjax.eval.populations.generate import describe, program_of
from stemjax.eval.reports import sweep_report
from stemjax.eval.reports.pictures import save_sweep, varied
from stemjax.eval.reports.report import as_csv, as_latex
from stemjax.eval.studies.decoding import score_anchors
from stemjax.eval.studies.grid_file import find_grid
from stemjax.eval.studies.rows import ScoreReport, score_row
from stemjax.eval.studies.sweep import check_file_names, file_name, sweep_jobs
from stemjax.io.atomic import write_text
from stemjax.io.json_file import write_json
from stemjax.io.picture import draw_or_warn


def run(command: SweepArguments) -> None:
    """Decode and score a grid; write markdown, JSON, CSV, LaTeX, PNG and the scores.

    Raises:
      UserError: an unknown or bad grid, bad arguments or data, or no such model.
    """
    rows = grid_rows(command)
    decoding_run = load_run(command, command.n)
    others = draw_other_examples(command, command.n)
    jobs = sweep_jobs(
        rows, decoding_run, command.n, seeds=command.seeds, seed=command.seed
    )
    print(programs_line([job.config for job in jobs]))
    if not decode(command, [(decoding_run, jobs)]):
        return
    with score_bar() as progress:
        scorer = open_scorer(command, decoding_run, progress)
        reports = {
            row.name: score_row(
                row,
                decoding_run,
                command.n,
                scorer,
                seeds=command.seeds,
                deal_seed=command.seed,
            )
            for row in rows
        }
        anchors = score_anchors(decoding_run, others, command.n, scorer, progress)
    write(command, decoding_run, rows, reports, anchors)


def grid_rows(command: SweepArguments) -> tuple[TableRow, ...]:
    """Rows of the grid, with fewer steps if `--fast` is given and the grid fixes them.

    Raises:
      UserError: an unknown grid, a bad file, or rows whose file names are the same.
    """
    rows = find_grid(command.grid)
    check_file_names(rows, command.grid)
    varies_steps = varied([point for row in rows for point in row.points]) == ["steps"]
    return with_steps(rows, FAST.steps) if command.fast and not varies_steps else rows


def programs_line(configs: Sequence[DecodeConfig]) -> str:
    """The number of compiled programs in words."""
    count = len({program_of(config) for config in configs})
    return (
        f"{count} compiled decoder{'s' * (count > 1)} (one per guidance mode, with or"
        " without a nucleus filter)"
    )


def write(
    command: SweepArguments,
    decoding_run: DecodingRun,
    rows: Sequence[TableRow],
    reports: Mapping[str, ScoreReport],
    anchors: Mapping[str, ScoreReport],
) -> None:
    """Write and print the results, then draw the pictures."""
    out, grid = pathlib.Path(command.out), pathlib.Path(command.grid).name
    system = describe(decoding_run.system)
    checkpoint = system["checkpoint"]
    page = sweep_report.page(
        reports,
        anchors,
        f"Sweep of {checkpoint['name']} {checkpoint['version']}: {grid}",
        describe_examples(command, decoding_run.examples),
    )
    cells = sweep_report.table_rows(reports, anchors)
    for name, report in reports.items():
        write_json(out / "scores" / f"{file_name(name)}.json", report)
    write_text(out / "sweep.csv", as_csv(sweep_report.HEADER, cells))
    write_text(out / "sweep.tex", as_latex(sweep_report.HEADER, cells))
    write_json(
        out / "sweep.json",
        {
            "format": FORMAT,
            "system": system,
            "manifest_hash": manifest_hash(decoding_run.examples),
            "seed": command.seed,
            "seeds": command.seeds,
            "rows": [
                {
                    "name": row.name,
                    "points": to_json(row.points),
                    "report": reports[row.name],
                }
                for row in rows
            ],
            "anchors": anchors,
        },
    )
    write_text(out / "sweep.md", page)
    print(page, end="")
    draw = functools.partial(save_sweep, out, rows, reports, grid)
    draw_or_warn(out / "sweep.png", draw)

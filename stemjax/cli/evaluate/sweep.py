"""`evaluate.py sweep`: a grid of decoding settings, scored on one manifest."""

import json
import pathlib
import re
from collections.abc import Mapping, Sequence

from stemjax.cli.evaluate.decoding import (
    decode,
    is_whole,
    measure_anchors,
    print_cost,
    scorer_of,
    settings_of,
)
from stemjax.cli.evaluate.decoding_arguments import Sweep
from stemjax.cli.evaluate.examples import open_benches
from stemjax.config.decode import FAST, DecodeConfig
from stemjax.config.metrics import TITLES, Metric
from stemjax.config.runs import to_json
from stemjax.config.sweeps import GRIDS, Row, with_steps
from stemjax.eval.metrics.compare import CLEAR, compare
from stemjax.eval.metrics.score import FORMAT
from stemjax.eval.populations.decoding_run import DecodingRun, manifest_hash
from stemjax.eval.populations.generate import (
    ExampleSet,
    Job,
    describe,
    program_of,
)
from stemjax.eval.reports.pictures import save_sweep, varied
from stemjax.eval.reports.report import as_csv, as_latex, as_markdown, notes, number
from stemjax.eval.studies.grid_file import read_grid
from stemjax.eval.studies.rows import Report, row_jobs, score_row
from stemjax.eval.studies.tables import measured_by
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError

EXAMPLES = 400  # where --n does not say: the paper's, sec. 3.2
SHOWN = (Metric.FAD, Metric.FD_LOGMEL, Metric.MIRDD)
HEADER = ("row", "n", *(TITLES[metric] for metric in SHOWN), "silent %")


def run(command: Sweep) -> None:
    """Decode and score a grid.

    Raises:
      UserError: an unknown grid, bad data or no such model.
    """
    rows = rows_of(command)
    bench, others, about = open_benches(command, examples_needed(command))
    run_sweep(command, rows, bench, others, about)


def rows_of(command: Sweep) -> tuple[Row, ...]:
    """The rows of a named grid or of a file.

    Raises:
      UserError: neither; a bad file; names of rows that cannot be told apart.
    """
    named = GRIDS.get(command.grid)
    if named is None and not pathlib.Path(command.grid).suffix:
        raise UserError(
            f"no grid {command.grid!r}: one of {', '.join(GRIDS)}, or a .toml file"
        )
    rows = read_grid(command.grid) if named is None else named
    files: dict[str, str] = {}
    for row in rows:
        other = files.setdefault(slug(row.name), row.name)
        if other != row.name or not slug(row.name):
            raise UserError(
                f"{command.grid}: the names {other!r} and {row.name!r} make one file's"
                " name; use other letters or digits"
            )
    is_steps = varied([point for row in rows for point in row.points]) == ["steps"]
    return with_steps(rows, FAST.steps) if command.fast and not is_steps else rows


def examples_needed(command: Sweep) -> int:
    """How many examples each row has."""
    return command.n or EXAMPLES


def run_sweep(
    command: Sweep,
    rows: Sequence[Row],
    bench: DecodingRun,
    others: ExampleSet,
    about: Sequence[str],
) -> None:
    """Decode, score, and write sweep.md, sweep.json, CSV, LaTeX, PNG and the scores.

    rows: of `rows_of`.  others: examples drawn with another seed, for the anchors.
    about: lines on the data.

    Raises:
      UserError: settings that the model does not take.
    """
    check_rows(rows, bench)
    n = examples_needed(command)
    jobs: list[Job] = []
    for row in rows:
        jobs += row_jobs(row, bench, n, seeds=command.seeds, deal_seed=command.seed)
    print(programs_line([job.config for job in jobs]))
    if command.dry_run:
        print_cost([(bench, jobs)], command.batch_size)
        return
    decode(bench, jobs, batch_size=command.batch_size, shard=command.shard)
    if not is_whole(command.shard):
        print(f"{command.out}: shard {command.shard} is decoded")
        return
    scorer = scorer_of(command, settings_of(command, bench))
    reports = {
        row.name: score_row(
            row, bench, n, scorer, seeds=command.seeds, deal_seed=command.seed
        )
        for row in rows
    }
    anchors = measure_anchors(bench, others, n, scorer)
    _write(command, bench, rows, reports, anchors, about)


def check_rows(rows: Sequence[Row], bench: DecodingRun) -> None:
    """That the model takes the rows' scales.

    Raises:
      UserError: a row with another number of scales than the model has sources.
    """
    sources = bench.system.config.num_sources
    for row in rows:
        for point in row.points:
            if len(point.scales) != sources:
                raise UserError(
                    f"row {row.name!r}: scales {point.scales}; {bench.system.name} has"
                    f" {sources} guidance sources"
                )


def programs_line(configs: Sequence[DecodeConfig]) -> str:
    """What is compiled, and what merely changes its inputs."""
    count = len({program_of(config) for config in configs})
    return (
        f"{count} compiled decoder{'s' * (count > 1)}: guidance and a nucleus filter"
        " compile one each, a number of steps its short preamble; scales, weights and"
        " temperatures nothing"
    )


def lowest(reports: Mapping[str, Report], metric: Metric) -> str | None:
    """Which row has the least, and the rows that are within noise of it, in words."""
    there = {
        name: report
        for name, report in reports.items()
        if report["metrics"].get(metric.value, {}).get("value") is not None
    }
    if len(there) < 2:
        return None
    best = min(there, key=lambda name: there[name]["metrics"][metric.value]["value"])
    near = []
    for name, report in there.items():
        if name != best:
            found = compare(report, there[best])[metric.value]
            if found["difference"] <= CLEAR * found["se"]:
                near.append(name)
    text = f"Lowest {TITLES[metric]}: {best}"
    return f"{text}; within noise of it: {', '.join(near) or 'none'}."


def _cells(name: str, report: Report) -> list[str]:
    silent = 100 * report["silent"]["generated"] / report["n"]
    shown = (number(report["metrics"][metric.value]) for metric in SHOWN)
    return [name, str(report["n"]), *shown, f"{silent:.1f}"]


def _write(command: Sweep, bench: DecodingRun, rows, reports, anchors, about) -> None:
    out = pathlib.Path(command.out)
    named = reports | {f"anchor: {name}": anchor for name, anchor in anchors.items()}
    table = [_cells(name, report) for name, report in named.items()]
    best = filter(None, (lowest(reports, metric) for metric in SHOWN))
    checkpoint = describe(bench.system)["checkpoint"]
    lines = [
        f"# Sweep of {checkpoint['name']} {checkpoint['version']}:"
        f" {pathlib.Path(command.grid).name}",
        "",
        *(f"- {line}" for line in (*about, measured_by(reports.values()))),
        "",
        as_markdown(HEADER, table),
        *(f"- {line}" for line in best),
        *notes(reports.values()),
        "",
    ]
    page = "\n".join(lines)
    whole = {
        "format": FORMAT,
        "system": describe(bench.system),
        "manifest_hash": manifest_hash(bench.examples),
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
    }
    for name, report in reports.items():
        text = json.dumps(report, indent=1, sort_keys=True) + "\n"
        write_text(out / "scores" / f"{slug(name)}.json", text)
    write_text(out / "sweep.csv", as_csv(HEADER, table))
    write_text(out / "sweep.tex", as_latex(HEADER, table))
    save_sweep(out, rows, reports, f"{pathlib.Path(command.grid).name}")
    write_text(out / "sweep.json", json.dumps(whole, indent=1, sort_keys=True) + "\n")
    write_text(out / "sweep.md", page)
    print(page, end="")


def slug(name: str) -> str:
    """A row's name as the name of a file."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_")

"""`evaluate.py tables`: the paper's Tables 1 to 3 on a model."""

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import stemjax
from stemjax.cli.evaluate.shared.decoding import (
    decode,
    given_steps,
    open_scorer,
    score_bar,
)
from stemjax.cli.evaluate.shared.decoding_arguments import TablesArguments
from stemjax.cli.evaluate.shared.examples import (
    describe_examples,
    draw_examples,
    draw_other_examples,
    load_run,
)
from stemjax.config.decode import BEST
from stemjax.eval.metrics.score import FORMAT
from stemjax.eval.populations.decoding_run import DecodingRun, manifest_hash
from stemjax.eval.populations.generate import describe
from stemjax.eval.reports import tables_report
from stemjax.eval.reports.pictures import save_table
from stemjax.eval.reports.report import as_csv, as_latex
from stemjax.eval.studies import tables as study
from stemjax.eval.studies.decoding import score_anchors
from stemjax.eval.studies.rows import ScoreReport
from stemjax.io.atomic import write_text
from stemjax.io.json_file import write_json
from stemjax.io.picture import draw_or_warn


def run(command: TablesArguments) -> None:
    """Decode and score the tables; write markdown, JSON, CSV, LaTeX and pictures.

    Raises:
      UserError: bad arguments or data, no such model, or a model with another number of
        guidance sources than the paper's.
    """
    steps = given_steps(command.steps, fast=command.fast)
    tables = study.select_tables(command.numbers, command.n, steps)
    count = max(max(table.sizes) for table in tables.values())
    runs = load_run(command, count), load_second_run(command, count)
    others = draw_other_examples(command, count)
    work = []
    for is_second, decoding_run in enumerate(runs):
        if decoding_run is not None:
            study.check_sources(decoding_run)
            jobs = study.table_jobs(
                tables.values(),
                decoding_run,
                is_second=bool(is_second),
                seeds=command.seeds,
                seed=command.seed,
            )
            work.append((decoding_run, jobs))
    if not decode(command, work):
        return
    sizes = sorted({n for table in tables.values() for n in table.sizes})
    with score_bar() as progress:
        scorer = open_scorer(command, runs[0], progress)
        results = {
            number: [
                study.measure_table(
                    table, n, runs, scorer, seeds=command.seeds, seed=command.seed
                )
                for n in table.sizes
            ]
            for number, table in tables.items()
        }
        anchors = {
            n: score_anchors(runs[0], others, n, scorer, progress) for n in sizes
        }
    write(command, runs, results, anchors, steps or BEST.steps)


def load_second_run(command: TablesArguments, count: int) -> DecodingRun | None:
    """The run of `--against`; None if it is not given."""
    if not command.against:
        return None
    data = command.against_data or command.data
    return DecodingRun(
        stemjax.load(command.against, codec=command.against_codec),
        draw_examples(command, data, count=count, seed=command.seed),
        pathlib.Path(command.out) / "second",
    )


def write(
    command: TablesArguments,
    runs: study.RunPair,
    results: Mapping[int, Sequence[Mapping[str, Any]]],
    anchors: Mapping[int, Mapping[str, ScoreReport]],
    steps: Sequence[int],
) -> None:
    """Write and print the results, then draw the pictures."""
    out = pathlib.Path(command.out)
    systems = [
        describe(decoding_run.system)
        | {"manifest_hash": manifest_hash(decoding_run.examples)}
        for decoding_run in runs
        if decoding_run is not None
    ]
    about = [
        *describe_examples(command, runs[0].examples),
        *map(system_line, systems),
        f"steps {'/'.join(map(str, steps))} per level; w_c {BEST.w_conf:g}, w_r"
        f" {BEST.w_rand:g}; stems per example: {command.seeds}",
        "Table 1 has no causal bias; a row with many scales is one population, whose"
        " examples take the scales in turn",
        tables_report.metric_ids_line(next(iter(anchors.values())).values()),
    ]
    page = tables_report.page(results, anchors, about)
    named = {
        f"table{number}_n{result['n']}": result
        for number, sizes in results.items()
        for result in sizes
    }
    for name, result in named.items():
        rows = tables_report.table_rows(result, anchors[result["n"]])
        write_text(out / f"{name}.csv", as_csv(tables_report.HEADER, rows))
        write_text(out / f"{name}.tex", as_latex(tables_report.HEADER, rows))
    write_json(
        out / "tables.json",
        {
            "format": FORMAT,
            "systems": systems,
            "seed": command.seed,
            "seeds": command.seeds,
            "tables": {
                number: [study.as_json(result) for result in sizes]
                for number, sizes in results.items()
            },
            "anchors": anchors,
        },
    )
    write_text(out / "tables.md", page)
    print(page, end="")
    for name, result in named.items():
        picture = out / f"{name}.png"
        draw_or_warn(picture, functools.partial(save_table, out, name, result))
    print(f"{out}: tables.md, tables.json, and each table as csv, tex and png")


def system_line(system: Mapping[str, Any]) -> str:
    """A model and its codec in words."""
    checkpoint, codec = system["checkpoint"], system["codec"]
    return (
        f"model {checkpoint['name']} {checkpoint['version']} (sha256"
        f" {system['sha256'][:12]}), codec {codec['name']} ({codec['sha256'][:12]})"
    )

"""`evaluate.py tables`: the paper's Tables 1 to 3 on a model."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import stemjax
from stemjax.cli.evaluate.decoding import (
    check_steps,
    decode,
    is_whole,
    measure_anchors,
    print_cost,
    scorer_of,
    settings_of,
)
from stemjax.cli.evaluate.decoding_arguments import Tables
from stemjax.cli.evaluate.examples import draw_examples, open_benches
from stemjax.config.decode import BEST, FAST
from stemjax.config.sweeps import TABLES, Row, Table, with_steps
from stemjax.eval.metrics.score import FORMAT
from stemjax.eval.populations.decoding_run import DecodingRun, manifest_hash
from stemjax.eval.populations.generate import ExampleSet, Job, describe
from stemjax.eval.reports.pictures import save_table
from stemjax.eval.reports.report import as_csv, as_latex
from stemjax.eval.studies import tables
from stemjax.eval.studies.rows import Report, Scorer, row_jobs, score_row
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError

SOURCES = 2  # the paper's guidance: context audio and instrument


class Benches(NamedTuple):
    """What the rows of a table are measured on."""

    first: DecodingRun
    second: DecodingRun | None
    """Of the rows `is_second`; None: they are not measured."""
    others: ExampleSet
    """Examples of the first bench's data, drawn with another seed, for its anchors."""

    def of(self, row: Row) -> DecodingRun | None:
        """The bench of a row."""
        return self.second if row.is_second else self.first


def run(command: Tables) -> None:
    """Decode and score the paper's tables, on one model or two.

    Raises:
      UserError: bad data or no such model.
    """
    count = examples_needed(command)
    bench, others, about = open_benches(command, count)
    second = None
    if command.second:
        data = command.second_data or command.data
        second = DecodingRun(
            stemjax.load(command.second, codec=command.second_codec),
            draw_examples(command, data, count=count, seed=command.seed),
            bench.folder / "second",
        )
    run_tables(command, Benches(bench, second, others), about)


def chosen(command: Tables) -> dict[int, Table]:
    """The tables asked for, at the steps and sizes of this run."""
    found, steps = {}, other_steps(command)
    for number in sorted(set(command.numbers)):
        table = TABLES[number]
        sizes = tuple(min(size, command.n or size) for size in table.sizes)
        rows = with_steps(table.rows, steps) if steps else table.rows
        found[number] = dataclasses.replace(
            table, rows=rows, sizes=tuple(dict.fromkeys(sizes))
        )
    return found


def other_steps(command: Tables) -> tuple[int, ...]:
    """Steps per level in place of the paper's; () where those are taken.

    Raises:
      UserError: a level without a step.
    """
    check_steps(command.steps)
    return command.steps or (FAST.steps if command.fast else ())


def examples_needed(command: Tables) -> int:
    """The most examples that a row of the tables has."""
    return max(max(table.sizes) for table in chosen(command).values())


def run_tables(command: Tables, benches: Benches, about: Sequence[str]) -> None:
    """Decode, score, and write tables.md, tables.json, CSV, LaTeX and PNG.

    about: lines on the data, for the page.

    Raises:
      UserError: a model of another number of guidance sources.
    """
    found = chosen(command)
    work: list[tuple[DecodingRun, list[Job]]] = []
    for bench in filter(None, (benches.first, benches.second)):
        check_sources(bench)
        work.append((bench, _jobs(command, found, benches, bench)))
    if command.dry_run:
        print_cost(work, command.batch_size)
        return
    for bench, jobs in work:
        decode(bench, jobs, batch_size=command.batch_size, shard=command.shard)
    if not is_whole(command.shard):
        print(f"{command.out}: shard {command.shard} is decoded")
        return
    scorer = scorer_of(command, settings_of(command, benches.first))
    results = {
        number: [_measure(table, n, benches, scorer, command) for n in table.sizes]
        for number, table in found.items()
    }
    sizes = sorted(
        {result["n"] for of_table in results.values() for result in of_table}
    )
    anchors = {
        n: measure_anchors(benches.first, benches.others, n, scorer) for n in sizes
    }
    _write(command, benches, results, anchors, about)


def check_sources(bench: DecodingRun) -> None:
    """That a model takes the grids' two guidance scales.

    Raises:
      UserError: it has another number of guidance sources.
    """
    count = bench.system.config.num_sources
    if count != SOURCES:
        raise UserError(
            f"{bench.system.name}: has {count} guidance sources; the tables' settings"
            f" are of models with {SOURCES}"
        )


def _jobs(command: Tables, found, benches: Benches, bench: DecodingRun) -> list[Job]:
    return [
        job
        for table in found.values()
        for row in table.rows
        if benches.of(row) is bench
        for n in table.sizes
        for job in row_jobs(row, bench, n, seeds=command.seeds, deal_seed=command.seed)
    ]


def _measure(
    table: Table, n: int, benches: Benches, scorer: Scorer, command: Tables
) -> dict[str, Any]:
    reports: dict[str, Report] = {}
    for row in table.rows:
        bench = benches.of(row)
        if bench is not None:
            reports[row.name] = score_row(
                row, bench, n, scorer, seeds=command.seeds, deal_seed=command.seed
            )
    return {"n": n} | tables.measured(table, reports)


def _write(command: Tables, benches: Benches, results, anchors, about) -> None:
    out = pathlib.Path(command.out)
    systems = [
        describe(bench.system) | {"manifest_hash": manifest_hash(bench.examples)}
        for bench in (benches.first, benches.second)
        if bench
    ]
    measured = tables.measured_by(next(iter(anchors.values())).values())
    lines = [
        *about,
        *(_system_line(system) for system in systems),
        *_settings(command),
        measured,
    ]
    page = tables.page(results, anchors, lines)
    for number, of_table in results.items():
        for result in of_table:
            name = f"table{number}_n{result['n']}"
            rows = tables.table_rows(result, anchors[result["n"]])
            write_text(out / f"{name}.csv", as_csv(tables.HEADER, rows))
            write_text(out / f"{name}.tex", as_latex(tables.HEADER, rows))
            save_table(out, name, result)
    whole = {
        "format": FORMAT,
        "systems": systems,
        "seed": command.seed,
        "seeds": command.seeds,
        "tables": {
            number: [tables.as_json(result) for result in of_table]
            for number, of_table in results.items()
        },
        "anchors": anchors,
    }
    write_text(out / "tables.md", page)
    write_text(out / "tables.json", json.dumps(whole, indent=1, sort_keys=True) + "\n")
    print(page, end="")
    print(f"{out}: tables.md, tables.json, and each table as csv, tex and png")


def _system_line(system: Mapping[str, Any]) -> str:
    checkpoint, codec = system["checkpoint"], system["codec"]
    return (
        f"model {checkpoint['name']} {checkpoint['version']} (sha256"
        f" {system['sha256'][:12]}), codec {codec['name']} ({codec['sha256'][:12]})"
    )


def _settings(command: Tables) -> list[str]:
    steps = other_steps(command) or BEST.steps
    return [
        f"steps {'/'.join(map(str, steps))} a level; w_c {BEST.w_conf:g},"
        f" w_r {BEST.w_rand:g};"
        f" {command.seeds} answer{'s' * (command.seeds > 1)} to each example",
        "Table 1 has no causal bias; a row of many scales is one population whose"
        " examples are dealt the scales in turn",
    ]

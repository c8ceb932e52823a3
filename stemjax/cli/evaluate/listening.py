"""`evaluate.py listening`: how well a model's stems fit their contexts."""

import functools
import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from stemjax.cli.evaluate.classifier import load_classifier
from stemjax.cli.evaluate.shared.decoding import (
    decode,
    given_steps,
    score_bar,
    will_score,
)
from stemjax.cli.evaluate.shared.decoding_arguments import ListeningArguments
from stemjax.cli.evaluate.shared.examples import (
    describe_examples,
    load_run,
    open_source,
)
from stemjax.cli.evaluate.shared.folders import cache_folder
from stemjax.config.decode import DECODE_PRESETS, DecodeConfig
from stemjax.config.runs import to_json
from stemjax.config.sweeps import TableRow, with_steps
from stemjax.data.drawing import evaluation_stems
from stemjax.eval.metrics.instrument_classifier import LoadedClassifier
from stemjax.eval.metrics.score import FORMAT
from stemjax.eval.populations.decoding_run import DecodingRun, manifest_hash
from stemjax.eval.populations.generate import Pair, describe
from stemjax.eval.reports import listening_report
from stemjax.eval.studies import listening as study
from stemjax.eval.studies.listening_measures import measure_all, write_references
from stemjax.eval.studies.rows import row_jobs
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.json_file import write_json
from stemjax.io.picture import draw_or_warn

GENERATED = "generated"


def run(command: ListeningArguments) -> None:
    """Decode and measure stems; write markdown, JSON, CSV and a picture.

    Raises:
      UserError: an unknown preset, bad arguments or data, or no such model.
    """
    check_presets(command.also)
    steps = given_steps(command.steps, fast=command.fast)
    decoding_run = load_run(command, command.n)
    source = open_source(command.data, command.crop_seconds)
    mismatched = evaluation_stems.mismatched(
        source, decoding_run.examples.pairs, seed=command.seed
    )
    instruments = None
    if will_score(command):
        cache = cache_folder(command.cache)
        instruments = load_classifier(command.classifier, source, cache)
    rows = settings_rows(decoding_run.system.decode, command.also, steps)
    measure_rows(command, rows, decoding_run, mismatched, instruments)


def check_presets(names: Sequence[str]) -> None:
    """Check the names of `--also`.

    Raises:
      UserError: an unknown preset.
    """
    for name in names:
        if name not in DECODE_PRESETS:
            raise UserError(f"--also {name}: one of {', '.join(DECODE_PRESETS)}")


def settings_rows(
    default: DecodeConfig, presets: Sequence[str], steps: tuple[int, ...]
) -> tuple[TableRow, ...]:
    """Rows of the model's own settings and of presets.

    Args:
      default: the model's own settings.
      steps: steps per level of all rows, coarse first; () keeps those of the settings.
    """
    named = {GENERATED: default}
    named |= {f"{GENERATED}, {name}": DECODE_PRESETS[name] for name in presets}
    rows = tuple(TableRow(name=name, points=(c,)) for name, c in named.items())
    return with_steps(rows, steps) if steps else rows


def measure_rows(
    command: ListeningArguments,
    rows: Sequence[TableRow],
    decoding_run: DecodingRun,
    mismatched: Sequence[Pair | None],
    instruments: LoadedClassifier | None,
) -> None:
    """Decode and measure the rows, and write the results.

    Args:
      mismatched: for each example a pair whose stem is of the same category and another
        song; None leaves the example out.
      instruments: the classifier; None if `will_score` is false.

    Raises:
      UserError: fewer than three songs with a category in common.
    """
    examples = decoding_run.examples.pairs
    kept = [
        (pair, partner)
        for pair, partner in zip(examples, mismatched, strict=True)
        if partner is not None
    ]
    pairs, partners = [pair for pair, _ in kept], [partner for _, partner in kept]
    others = study.other_contexts(
        [pair.song for pair in pairs],
        [partner.song for partner in partners],
        seed=command.seed,
    )
    if not others:
        raise UserError(
            f"--split {command.split}: three songs with a category in common are"
            " needed; give another split or more songs"
        )
    ids = {pair.id for pair in pairs}
    jobs = {
        row.name: [
            job
            for job in row_jobs(
                row,
                decoding_run,
                len(examples),
                seeds=command.seeds,
                deal_seed=command.seed,
            )
            if job.pair.id in ids
        ]
        for row in rows
    }
    all_jobs = [job for row in jobs.values() for job in row]
    if not decode(command, [(decoding_run, all_jobs)]):
        return
    n = len(pairs)
    stems = {  # the jobs of a row are sorted by seed, then by example
        name: [[job.stem for job in row[k : k + n]] for k in range(0, len(row), n)]
        for name, row in jobs.items()
    }
    with score_bar() as progress:
        references = write_references(decoding_run, pairs, partners, progress)
        values = measure_all(
            decoding_run.folder,
            pairs,
            others,
            stems | {name: [paths] for name, paths in references.items()},
            decoding_run.system,
            instruments,
            cache_folder(command.cache),
            progress=progress,
        )
    about = [
        *describe_examples(command, decoding_run.examples),
        instruments_line(instruments, pairs),
    ]
    if n < len(examples):
        about.append(
            f"{n} of {len(examples)} examples: for the others no other song of the split"
            " has a stem of the category"
        )
    about += [
        f"{row.name}: {settings_text(row.points[0])}; stems per example:"
        f" {command.seeds}"
        for row in rows
    ]
    write(command, rows, decoding_run, pairs, values, about)


def instruments_line(instruments: LoadedClassifier, pairs: Sequence[Pair]) -> str:
    """Accuracy of the classifier, and of always naming the largest category."""
    config = instruments.config
    accuracies = ", ".join(
        f"{figures.accuracy:.3f} (balanced {figures.balanced_accuracy:.3f}) of"
        f" {figures.clips} clips of {split}"
        for split, figures in config.held_out.items()
    )
    largest = max(Counter(pair.category for pair in pairs).values()) / len(pairs)
    return (
        f"instrument classifier trained on {config.training_clips} clips of real"
        f" stems (sha256 {instruments.sha256[:12]}): accuracy {accuracies}; always"
        f" naming the largest category of these examples: {largest:.3f}"
    )


def settings_text(config: DecodeConfig) -> str:
    """Decoding settings in words."""
    scales = ", ".join(f"{scale:g}" for scale in config.scales)
    return (
        f"steps {'/'.join(map(str, config.steps))}, guidance {config.guidance.value}"
        f" {scales}, w_c {config.w_conf:g}, w_s {config.w_causal:g}, w_r"
        f" {config.w_rand:g}, temperature {config.temperature:g}"
    )


def write(
    command: ListeningArguments,
    rows: Sequence[TableRow],
    decoding_run: DecodingRun,
    pairs: Sequence[Pair],
    values: Mapping[str, Mapping[study.Measure, np.ndarray]],
    about: Sequence[str],
) -> None:
    """Write and print the results, then draw the picture."""
    out = pathlib.Path(command.out)
    system = describe(decoding_run.system)
    checkpoint = system["checkpoint"]
    title = f"Fit of the stems of {checkpoint['name']} {checkpoint['version']}"
    ids, songs, categories = (
        [getattr(pair, field) for pair in pairs] for field in ("id", "song", "category")
    )
    result = study.summarise(values, songs, categories)
    page = listening_report.page(result, title, about)
    write_text(
        out / "listening.csv", listening_report.csv(values, ids, songs, categories)
    )
    write_json(
        out / "listening.json",
        {
            "format": FORMAT,
            "system": system,
            "manifest_hash": manifest_hash(decoding_run.examples),
            "seed": command.seed,
            "seeds": command.seeds,
            "settings": {row.name: to_json(row.points[0]) for row in rows},
        }
        | result,
    )
    write_text(out / "listening.md", page)
    print(page, end="")
    picture = out / "listening.png"
    draw_or_warn(
        picture,
        functools.partial(listening_report.save_picture, picture, result, title),
    )
    print(f"{out}: listening.md, listening.json, listening.csv, listening.png")

"""`evaluate.py listening`: does the model listen? One table, one picture."""

import functools
import json
import pathlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.cli.evaluate.classifier import classifier_of
from stemjax.cli.evaluate.decoding import bar, check_steps, decode, is_whole, print_cost
from stemjax.cli.evaluate.examples import open_benches, source_of
from stemjax.cli.evaluate.listening_arguments import Listening
from stemjax.cli.evaluate.score import Progress
from stemjax.config.decode import DECODE_PRESETS, FAST, DecodeConfig
from stemjax.config.runs import to_json
from stemjax.config.sweeps import Row, with_steps
from stemjax.data.drawing import evaluation_pairs, evaluation_stems
from stemjax.eval.metrics.instrument_classifier import Loaded
from stemjax.eval.metrics.score import FORMAT
from stemjax.eval.populations import anchors
from stemjax.eval.populations.decoding_run import DecodingRun, manifest_hash, real_path
from stemjax.eval.populations.generate import Job, Pair, describe
from stemjax.eval.reports import listening_report
from stemjax.eval.studies import listening
from stemjax.eval.studies.listening import CODEC, MISMATCHED, REAL, SILENCE, Measure
from stemjax.eval.studies.listening_measures import Judges, measure_all
from stemjax.eval.studies.rows import row_jobs
from stemjax.io.atomic import write_text
from stemjax.io.audio_formats import write_flac
from stemjax.io.errors import UserError

EXAMPLES = 60
OWN = "generated"


def run(command: Listening) -> None:
    """Measure whether a model listens.

    Raises:
      UserError: an unknown preset, bad data, or no such model.
    """
    check(command)
    bench, _, about = open_benches(command, examples_needed(command))
    source = source_of(command.data, command.crop_seconds)
    mismatched = Mismatched(
        evaluation_stems.mismatched(source, bench.examples.pairs, seed=command.seed),
        functools.partial(evaluation_pairs.read_pair, source),
    )

    def judges() -> Judges:
        instruments = classifier_of(command.classifier, source, command.cache)
        return Judges(bench.system, instruments)

    rows = rows_of(command, bench.system.decode)
    run_listening(command, rows, bench, mismatched, judges, about)


class Mismatched(NamedTuple):
    """Real stems of other songs, one for each example, None where there is none."""

    pairs: Sequence[Pair | None]
    read: Callable[[Pair], tuple[np.ndarray, np.ndarray]]
    """Anything, and the stem [N]."""


def examples_needed(command: Listening) -> int:
    """How many examples are asked for."""
    return command.n or EXAMPLES


def check(command: Listening) -> None:
    """That a run can end as it begins, before anything is loaded or decoded.

    Raises:
      UserError: an unknown preset, or steps that are none.
    """
    for name in command.also:
        if name not in DECODE_PRESETS:
            raise UserError(f"--also {name}: one of {', '.join(DECODE_PRESETS)}")
    check_steps(command.steps)


def rows_of(command: Listening, own: DecodeConfig) -> list[Row]:
    """The settings whose stems are measured: the model's own, then presets."""
    named = {OWN: own}
    named |= {f"{OWN}, {name}": DECODE_PRESETS[name] for name in command.also}
    rows = tuple(Row(name=name, points=(config,)) for name, config in named.items())
    steps = command.steps or (FAST.steps if command.fast else ())
    return list(with_steps(rows, steps) if steps else rows)


def run_listening(
    command: Listening,
    rows: Sequence[Row],
    bench: DecodingRun,
    mismatched: Mismatched,
    judges: Callable[[], Judges],
    about: Sequence[str],
) -> None:
    """Decode, measure, and write listening.md, .json, .csv and .png.

    judges: not called where nothing is measured.  about: lines on the data, for the page.

    Raises:
      UserError: fewer than three songs whose stems have a partner in another.
    """
    where = [k for k, pair in enumerate(mismatched.pairs) if pair is not None]
    pairs = [bench.examples.pairs[k] for k in where]
    partners = [mismatched.pairs[k] for k in where]
    others = listening.other_contexts(
        [pair.song for pair in pairs],
        [pair.song for pair in partners],
        seed=command.seed,
    )
    if others is None or not pairs:
        raise UserError(
            f"--split {command.split}: three songs with a category in common are"
            " needed; give another split or more songs"
        )
    jobs = _jobs(command, rows, bench, {pair.id for pair in pairs})
    every = [job for of_row in jobs.values() for job in of_row]
    if command.dry_run:
        print_cost([(bench, every)], command.batch_size)
        return
    if not is_whole(command.shard):
        decode(bench, every, batch_size=command.batch_size, shard=command.shard)
        print(f"{command.out}: shard {command.shard} is decoded")
        return
    heard_by = judges()
    decode(bench, every, batch_size=command.batch_size, shard=command.shard)
    stems = _stems(command, bench, pairs, jobs, partners, mismatched.read)
    progress = Progress()
    try:
        values = measure_all(
            bench.folder,
            pairs,
            others,
            stems,
            heard_by,
            pathlib.Path(command.cache).expanduser(),
            progress=progress,
        )
    finally:
        progress.close()
    about = [*about, *about_instruments(heard_by.instruments, pairs)]
    if len(pairs) < len(mismatched.pairs):
        about.append(
            f"{len(pairs)} of {len(mismatched.pairs)} examples: for the others no other"
            " song of the split has a stem of the category"
        )
    _write(command, rows, bench, pairs, values, about)


def about_instruments(instruments: Loaded, pairs: Sequence[Pair]) -> list[str]:
    """What the classifier reaches by itself, and what chance does here."""
    config = instruments.config
    reached = ", ".join(
        f"{found['accuracy']:.3f} (balanced {found['balanced_accuracy']:.3f}) of"
        f" {found['clips']} clips of {split}"
        for split, found in config["held_out"].items()
    )
    largest = max(Counter(pair.category for pair in pairs).values()) / len(pairs)
    return [
        f"instruments named by a classifier fit on {config['training_clips']} clips of"
        f" real stems (sha256 {instruments.sha256[:12]}): right for {reached}; always the"
        f" largest category of these examples: {largest:.3f}"
    ]


def _jobs(
    command: Listening, rows: Sequence[Row], bench: DecodingRun, ids: set[str]
) -> dict[str, list[Job]]:
    count = examples_needed(command)
    return {
        row.name: [
            job
            for job in row_jobs(
                row, bench, count, seeds=command.seeds, deal_seed=command.seed
            )
            if job.pair.id in ids
        ]
        for row in rows
    }


def _stems(
    command: Listening,
    bench: DecodingRun,
    pairs: Sequence[Pair],
    jobs: Mapping[str, Sequence[Job]],
    partners: Sequence[Pair],
    read: Callable[[Pair], tuple[np.ndarray, np.ndarray]],
) -> dict[str, list[list[pathlib.Path]]]:
    """Row -> [answer][example] files; what no decoding writes is written here."""
    folder = bench.folder / "anchors" / MISMATCHED
    paths = [folder / f"{pair.id}.flac" for pair in pairs]
    for path, partner in zip(paths, partners, strict=True):
        if not path.is_file():
            write_flac(path, read(partner)[1], bench.system.sample_rate)
    anchors.write_silence(bench)
    with bar(CODEC, len(bench.examples.pairs), "clip") as progress:
        anchors.write_codec_floor(bench, progress=progress)
    n = len(pairs)
    found = {
        name: [
            [job.stem for job in own[v * n : (v + 1) * n]] for v in range(command.seeds)
        ]
        for name, own in jobs.items()
    }
    return found | {
        REAL: [[real_path(bench.folder, pair) for pair in pairs]],
        MISMATCHED: [paths],
        CODEC: [[anchors.codec_path(bench, pair) for pair in pairs]],
        SILENCE: [[anchors.silence_path(bench)] * n],
    }


def _write(
    command: Listening,
    rows: Sequence[Row],
    bench: DecodingRun,
    pairs: Sequence[Pair],
    values: Mapping[str, Mapping[Measure, np.ndarray]],
    about: Sequence[str],
) -> None:
    out = pathlib.Path(command.out)
    system = describe(bench.system)
    checkpoint = system["checkpoint"]
    title = f"Does {checkpoint['name']} {checkpoint['version']} listen?"
    ids, songs, categories = (
        [getattr(pair, field) for pair in pairs] for field in ("id", "song", "category")
    )
    result = listening.summarise(values, songs, categories)
    lines = [
        *about,
        *(
            f"{row.name}: {_settings(row.points[0])};"
            f" {command.seeds} answer{'s' * (command.seeds > 1)} to each example"
            for row in rows
        ),
    ]
    whole = {
        "format": FORMAT,
        "system": system,
        "manifest_hash": manifest_hash(bench.examples),
        "seed": command.seed,
        "seeds": command.seeds,
        "settings": {row.name: to_json(row.points[0]) for row in rows},
    } | result
    text = listening_report.page(result, title, lines)
    listening_report.save_picture(out / "listening.png", result, title)
    write_text(
        out / "listening.csv", listening_report.csv(values, ids, songs, categories)
    )
    write_text(
        out / "listening.json", json.dumps(whole, indent=1, sort_keys=True) + "\n"
    )
    write_text(out / "listening.md", text)
    print(text, end="")
    print(f"{out}: listening.md, listening.json, listening.csv, listening.png")


def _settings(config: DecodeConfig) -> str:
    scales = ", ".join(f"{scale:g}" for scale in config.scales)
    return (
        f"steps {'/'.join(map(str, config.steps))}, guidance {config.guidance.value}"
        f" {scales}, w_c {config.w_conf:g}, w_s {config.w_causal:g}, w_r"
        f" {config.w_rand:g}, temperature {config.temperature:g}"
    )

"""Measure models and codecs: `python evaluate.py --help`."""

import dataclasses
import functools
import json
import pathlib
import sys
from typing import Any

import tyro

from stemjax.eval.commands import arguments as plain
from stemjax.eval.commands import listening_arguments as asked
from stemjax.eval.commands.decoding_arguments import Decoding, Sweep, Tables, Tune
from stemjax.eval.commands.subcommands import WRITES_REPORT, Command


def main(argv: list[str] | None = None) -> None:
    command: Any = tyro.cli(Command, args=argv, description=__doc__)

    from data.errors import DataError
    from stemjax.io.allocator import keep_memory
    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.errors import exit_on_bad_input

    keep_memory()
    with exit_on_bad_input(DataError):
        use_compilation_cache()
        report = run(command)
        if isinstance(command, WRITES_REPORT) and command.out:
            from stemjax.io.atomic import write_text

            write_text(command.out, json.dumps(report, indent=2, sort_keys=True) + "\n")


def run(command: Any) -> dict[str, Any] | None:
    """Do what was asked; returns the report where there is one."""
    match command:
        case plain.Score():
            from stemjax.eval.commands.score import run_score

            return run_score(command)
        case plain.Fad():
            from stemjax.eval.commands.one_metric import run_fad

            return run_fad(command)
        case plain.Mirdd():
            from stemjax.eval.commands.one_metric import run_mirdd

            return run_mirdd(command)
        case plain.PerClip():
            from stemjax.eval.commands.per_clip import run_per_clip

            run_per_clip(command)
        case plain.Report():
            from stemjax.eval.commands.overview import run_report

            run_report(command)
        case plain.Compare():
            from stemjax.eval.commands.score import run_compare

            return run_compare(command)
        case plain.Selftest():
            from stemjax.eval.commands.selftest import run_selftest

            return run_selftest(command)
        case plain.ConvertVggish():
            from stemjax.eval.commands.one_metric import run_convert

            run_convert(command)
        case plain.MakeManifest():
            make_manifest(command)
        case plain.Generate():
            generate(command)
        case Sweep():
            sweep(command)
        case Tables():
            tables(command)
        case Tune():
            tune(command)
        case asked.Listening():
            listening(command)
        case asked.Classifier():
            classifier(command)
        case asked.Gallery():
            gallery(command)
        case asked.Results():
            from stemjax.eval.commands.results import run_results

            run_results(command)
        case plain.ContextGain():
            return context_gain(command)
        case plain.CodecTable():
            return codec_table(command)
    return None


def make_manifest(command: plain.MakeManifest) -> None:
    """Draw the pairs and write them; says how many of each category there are."""
    from data.evaluation_pairs import about, make_pairs, to_lines
    from data.spec import open_audio
    from stemjax.io.atomic import write_text

    pairs = make_pairs(
        open_audio(command.data),
        split=command.split,
        count=command.n,
        seed=command.seed,
        crop_seconds=command.seconds,
    )
    write_text(command.out, to_lines(pairs))
    print("\n".join(about(pairs, command.out)))


def example_set(source: Any, pairs: Any) -> Any:
    """Rows of a manifest with the audio of their prepared folder."""
    from data.evaluation_pairs import read_pair, to_lines
    from stemjax.eval.generate import ExampleSet

    return ExampleSet(pairs, to_lines(pairs), functools.partial(read_pair, source))


@functools.cache
def source_of(data: str, seconds: float) -> Any:
    """A prepared folder; synthetic songs for crops of a length where none is named."""
    from data.spec import open_audio
    from data.synthetic import SyntheticSet

    if data:
        return open_audio(data)
    return SyntheticSet(songs=(2, 8, 8), seconds=1.5 * seconds)


def generate(command: plain.Generate) -> None:
    """Answer the rows of a manifest that are not answered yet."""
    import stemjax
    from data.evaluation_pairs import read_manifest
    from data.spec import open_audio
    from stemjax.eval.commands.generate import run_generate

    pairs = read_manifest(command.manifest)[: command.n or None]
    examples = example_set(open_audio(command.data), pairs)
    model = stemjax.load(command.checkpoint, codec=command.codec)
    run_generate(command, model, model.decode_config(command.preset or None), examples)


def drawn(command: Decoding, data: str, *, count: int, seed: int) -> Any:
    """Examples of a prepared folder; of synthetic songs where none is named."""
    from data.evaluation_pairs import make_pairs

    seconds = command.crop_seconds
    source = source_of(data, seconds)
    pairs = make_pairs(
        source, split=command.split, count=count, seed=seed, crop_seconds=seconds
    )
    return example_set(source, pairs)


def bench_of(command: Decoding, count: int) -> tuple[Any, Any, list[str]]:
    """The model on its examples, others for its anchors, and lines about both."""
    import stemjax
    from stemjax.eval.commands.decoding import about_examples, check_numbers
    from stemjax.eval.populations import Bench

    check_numbers(command)
    examples = drawn(command, command.data, count=count, seed=command.seed)
    others = drawn(command, command.data, count=count, seed=command.seed + 1)
    model = stemjax.load(command.checkpoint, codec=command.codec)
    bench = Bench(model, examples, pathlib.Path(command.out))
    return bench, others, about_examples(command, examples)


def sweep(command: Sweep) -> None:
    """Decode and score a grid."""
    from stemjax.eval.commands import sweep as body

    rows = body.rows_of(command)
    bench, others, about = bench_of(command, body.examples_needed(command))
    body.run_sweep(command, rows, bench, others, about)


def tables(command: Tables) -> None:
    """Decode and score the paper's tables, on one model or two."""
    import stemjax
    from stemjax.eval.commands import tables as body
    from stemjax.eval.populations import Bench

    count = body.examples_needed(command)
    bench, others, about = bench_of(command, count)
    second = None
    if command.second:
        data = command.second_data or command.data
        second = Bench(
            stemjax.load(command.second, codec=command.second_codec),
            drawn(command, data, count=count, seed=command.seed),
            bench.folder / "second",
        )
    body.run_tables(command, body.Benches(bench, second, others), about)


def tune(command: Tune) -> None:
    """Search decoding settings on one split and check them on another."""
    import stemjax
    from stemjax.eval.commands import tune as body
    from stemjax.eval.commands.decoding import about_examples, check_numbers
    from stemjax.eval.populations import Bench

    check_numbers(command)
    body.check(command)
    checking = dataclasses.replace(command, split=command.check_split)
    count = body.examples_needed(command)
    chosen_on, checked_on = (
        drawn(each, command.data, count=count, seed=command.seed)
        for each in (command, checking)
    )
    model = stemjax.load(command.checkpoint, codec=command.codec)
    folder = pathlib.Path(command.out)
    tuning = body.Tuning(
        model,
        model.decode,
        Bench(model, chosen_on, folder),
        Bench(model, checked_on, folder / "check"),
    )
    about = about_examples(command, chosen_on)
    about.append(about_examples(checking, checked_on)[0])
    body.run_tune(command, tuning, about)


def labelled(source: Any, command: asked.Classifier) -> dict[str, Any]:
    """What gives the labelled clips of each split that has songs."""
    from data.evaluation_stems import labelled_clips
    from data.layouts.song import SPLITS

    clips_of = functools.partial(
        labelled_clips, source, per_category=command.per_category, seed=command.seed
    )
    there = [split for split in SPLITS if source.index(split).songs]
    return {split: functools.partial(clips_of, split) for split in there}


def classifier(command: asked.Classifier) -> None:
    """Fit and measure the classifier of instruments."""
    from data.spec import open_audio
    from stemjax.eval.commands.classifier import run_classifier

    source = open_audio(command.data)
    run_classifier(command.out, labelled(source, command), source.content_hash)


def instruments(given: str, source: Any, cache: str) -> Any:
    """A classifier that was given, else the one of a prepared folder."""
    from stemjax.eval.commands.classifier import find_or_train

    splits = labelled(source, asked.Classifier(data="", out=""))
    return find_or_train(given, cache, splits, source.content_hash)


def gallery(command: asked.Gallery) -> None:
    """Answer recordings for a web page."""
    import stemjax
    from data.spec import open_audio
    from stemjax.eval.commands.gallery import run_gallery
    from stemjax.eval.instrument_classifier import load

    model = stemjax.load(command.checkpoint, codec=command.codec)
    heard_by = load(command.classifier) if command.classifier else None
    if command.data and not heard_by:
        heard_by = instruments("", open_audio(command.data), command.cache)
    config = model.decode_config(command.preset or None)
    run_gallery(command, model, config, heard_by)


def listening(command: asked.Listening) -> None:
    """Measure whether a model listens."""
    from data import evaluation_pairs, evaluation_stems
    from stemjax.eval.commands import listening as body

    body.check(command)
    bench, _, about = bench_of(command, body.examples_needed(command))
    rows = body.rows_of(command, bench.system.decode)
    source = source_of(command.data, command.crop_seconds)
    pairs = bench.examples.pairs
    mismatched = body.Mismatched(
        evaluation_stems.mismatched(source, pairs, seed=command.seed),
        functools.partial(evaluation_pairs.read_pair, source),
    )

    def judges() -> body.Judges:
        found = instruments(command.classifier, source, command.cache)
        return body.Judges(bench.system, found)

    body.run_listening(command, rows, bench, mismatched, judges, about)


def context_gain(command: plain.ContextGain) -> dict[str, Any]:
    """Print the table of one model; returns the report."""
    import stemjax
    from data import pairs, tokens
    from data.spec import open_data
    from stemjax.config.train import PairConfig
    from stemjax.eval.commands import context_gain as body
    from stemjax.io.errors import UserError

    opened = open_data(command.data)
    if not opened.has(command.split):
        raise UserError(f"{command.data}: no song in the split {command.split!r}")
    model = stemjax.load(command.checkpoint, codec=command.codec)
    opened.check_codec(command.data, model.codec.name, model.codec.sha256)
    settings = PairConfig(crop_seconds=model.trained_frames / model.config.frame_rate)
    make = tokens.token_eval_batches if opened.is_tokens else pairs.eval_batches
    batches = functools.partial(
        make,
        opened.data,
        settings,
        split=command.split,
        count=command.pairs,
        batch_size=command.batch_size,
        seed=command.seed,
    )
    other = command.against and stemjax.load(command.against, codec=command.codec)
    encode = None if opened.is_tokens else model.codec.encode
    return body.run_context_gain(command, model, other or None, batches, encode)


def codec_table(command: plain.CodecTable) -> dict[str, Any]:
    """Print the table of one codec; returns its rows."""
    from data.crops import codec_eval_clips
    from data.spec import open_data
    from stemjax import codec
    from stemjax.eval.commands.codec_table import run_codec_table
    from stemjax.io.errors import UserError

    opened = open_data(command.data)
    if opened.is_tokens:
        raise UserError(f"{command.data}: a codec is measured on audio")
    clips = functools.partial(
        codec_eval_clips,
        crop_seconds=command.seconds,
        count=command.clips,
        seed=command.seed,
    )
    fitted = open_data(command.fit_data or command.data)
    held_out = clips(opened.data, split=command.split)
    training = clips(fitted.data, split="train")
    return run_codec_table(command, codec.load(command.codec), held_out, training)


if __name__ == "__main__":
    main(sys.argv[1:])

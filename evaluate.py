"""Measure models and codecs: `python evaluate.py --help`."""

import dataclasses
import json
import sys
from typing import Annotated, Any

import tyro

from stemjax.eval.commands.arguments import (
    CodecTable,
    Compare,
    ContextGain,
    ConvertVggish,
    Fad,
    Generate,
    MakeManifest,
    Mirdd,
    PerClip,
    Report,
    Score,
    Selftest,
)
from stemjax.eval.commands.decoding_arguments import Decoding, Sweep, Tables, Tune

Command = (
    Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Fad, tyro.conf.subcommand("fad")]
    | Annotated[Mirdd, tyro.conf.subcommand("mirdd")]
    | Annotated[PerClip, tyro.conf.subcommand("per-clip")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[MakeManifest, tyro.conf.subcommand("make-manifest")]
    | Annotated[Generate, tyro.conf.subcommand("generate")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
    | Annotated[Tables, tyro.conf.subcommand("tables")]
    | Annotated[Tune, tyro.conf.subcommand("tune")]
    | Annotated[ContextGain, tyro.conf.subcommand("context-gain")]
    | Annotated[CodecTable, tyro.conf.subcommand("codec-table")]
    | Annotated[Selftest, tyro.conf.subcommand("selftest")]
    | Annotated[ConvertVggish, tyro.conf.subcommand("convert-vggish")]
)


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


# the others write files of their own
WRITES_REPORT = (ContextGain, CodecTable, Compare, Fad, Mirdd, Selftest)


def run(command: Any) -> dict[str, Any] | None:
    """Do what was asked; returns the report where there is one."""
    match command:
        case Score():
            from stemjax.eval.commands.score import run_score

            return run_score(command)
        case Fad():
            from stemjax.eval.commands.one_metric import run_fad

            return run_fad(command)
        case Mirdd():
            from stemjax.eval.commands.one_metric import run_mirdd

            return run_mirdd(command)
        case PerClip():
            from stemjax.eval.commands.per_clip import run_per_clip

            run_per_clip(command)
        case Report():
            from stemjax.eval.commands.overview import run_report

            run_report(command)
        case Compare():
            from stemjax.eval.commands.score import run_compare

            return run_compare(command)
        case Selftest():
            from stemjax.eval.commands.selftest import run_selftest

            return run_selftest(command)
        case ConvertVggish():
            from stemjax.eval.vggish_weights import convert

            weights = convert(command.source, command.out)
            print(
                f"{command.out}: VGGish, sha256 {weights.sha256[:12]}, smoke test passed"
            )
        case MakeManifest():
            make_manifest(command)
        case Generate():
            generate(command)
        case Sweep():
            sweep(command)
        case Tables():
            tables(command)
        case Tune():
            tune(command)
        case ContextGain():
            return context_gain(command)
        case CodecTable():
            return codec_table(command)
    return None


def make_manifest(command: MakeManifest) -> None:
    """Draw the pairs and write them; says how many of each category there are."""
    import collections

    from data.evaluation_pairs import make_pairs, manifest_hash, to_lines
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
    counts = collections.Counter(pair.category for pair in pairs)
    for category, count in sorted(counts.items()):
        print(f"{count:6d} {category}")
    redraws = sum(pair.redraws for pair in pairs)
    print(
        f"{command.out}: {len(pairs)} pairs of {len({p.song for p in pairs})} songs,"
        f" {redraws} redraws, manifest {manifest_hash(pairs)[:12]}"
    )


def example_set(source: Any, pairs: Any) -> Any:
    """Rows of a manifest with the audio of their prepared folder."""
    import functools

    from data.evaluation_pairs import read_pair, to_lines
    from stemjax.eval.generate import ExampleSet

    return ExampleSet(pairs, to_lines(pairs), functools.partial(read_pair, source))


def generate(command: Generate) -> None:
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
    from data.spec import open_audio
    from data.synthetic import SyntheticSet
    from stemjax.config.sweeps import FAST_SECONDS

    seconds = FAST_SECONDS if command.fast else command.seconds
    if data:
        source = open_audio(data)
    else:
        source = SyntheticSet(songs=(2, 8, 8), seconds=1.5 * seconds)
    pairs = make_pairs(
        source, split=command.split, count=count, seed=seed, crop_seconds=seconds
    )
    return example_set(source, pairs)


def bench_of(command: Decoding, count: int) -> tuple[Any, Any, list[str]]:
    """The model on its examples, others for its anchors, and lines about both."""
    import pathlib

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
    import pathlib

    import stemjax
    from stemjax.eval.commands import tune as body
    from stemjax.eval.commands.decoding import about_examples, check_numbers
    from stemjax.eval.populations import Bench

    check_numbers(command)
    body.check(command)
    checking = dataclasses.replace(command, split=command.check_split)
    count = body.examples_needed(command)
    chosen_on, checked_on = (
        drawn(asked, command.data, count=count, seed=command.seed)
        for asked in (command, checking)
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


def context_gain(command: ContextGain) -> dict[str, Any]:
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
    batches = make(
        opened.data,
        settings,
        split=command.split,
        count=command.pairs,
        batch_size=command.batch_size,
        seed=command.seed,
    )
    report = body.run(
        model.params,
        model.config,
        batches,
        encode=None if opened.is_tokens else model.codec.encode,
        num_pairs=command.pairs,
        is_shuffled=command.shuffle_weights,
        seed=command.seed,
    )
    report |= {
        "checkpoint": {"name": model.name, "version": model.version},
        "sha256": model.sha256,
        "split": command.split,
        "seed": command.seed,
    }
    print(body.table(report))
    return report


def codec_table(command: CodecTable) -> dict[str, Any]:
    """Print the table of one codec; returns its rows."""
    from data.crops import codec_eval_clips
    from data.spec import open_data
    from stemjax import codec
    from stemjax.eval import codec_table as body
    from stemjax.io.errors import UserError

    opened = open_data(command.data)
    if opened.is_tokens:
        raise UserError(f"{command.data}: a codec is measured on audio")
    loaded = codec.load(command.codec)

    held_out, training = (
        codec_eval_clips(
            opened.data,
            crop_seconds=command.seconds,
            split=split,
            count=command.clips,
            seed=command.seed,
        )
        for split in (command.split, "train")
    )
    rows = body.codec_table(
        loaded.variables,
        loaded.config,
        held_out,
        training,
        seed=command.seed,
    )
    print(body.markdown(rows), end="")
    return {
        "codec": {"name": loaded.name, "sha256": loaded.sha256},
        "clips": command.clips,
        "seconds": command.seconds,
        "split": command.split,
        "seed": command.seed,
        "rows": [dataclasses.asdict(row) for row in rows],
    }


if __name__ == "__main__":
    main(sys.argv[1:])

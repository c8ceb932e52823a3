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
    Generate,
    MakeManifest,
    Score,
    Selftest,
)

Command = (
    Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[MakeManifest, tyro.conf.subcommand("make-manifest")]
    | Annotated[Generate, tyro.conf.subcommand("generate")]
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


WRITES_REPORT = (
    ContextGain,
    CodecTable,
    Compare,
    Selftest,
)  # others write files of their own


def run(command: Any) -> dict[str, Any] | None:
    """Do what was asked; returns the report where there is one."""
    match command:
        case Score():
            from stemjax.eval.commands.score import run_score

            return run_score(command)
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
        case ContextGain():
            return context_gain(command)
        case CodecTable():
            return codec_table(command)
    return None


def make_manifest(command: MakeManifest) -> None:
    """Draw the pairs and write them; says how many of each category there are."""
    import collections

    from data.evaluation_pairs import make_pairs, manifest_hash, to_lines
    from stemjax.io.atomic import write_text

    pairs = make_pairs(
        prepared(command.data),
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


def prepared(spec: str) -> Any:
    """The one prepared folder that `--data` names."""
    from data.errors import DataError
    from data.spec import open_data

    opened = open_data(spec)
    if opened.is_tokens or len(opened.sources) > 1:
        raise DataError(f"{spec}: give one prepared folder; tokens hold no audio")
    return opened.sources[0]


def generate(command: Generate) -> None:
    """Answer the rows of a manifest that are not answered yet."""
    import functools

    from tqdm import tqdm

    import stemjax
    from data.evaluation_pairs import manifest_hash, read_manifest, read_pair, to_lines
    from stemjax.config.runs import to_json
    from stemjax.eval import generate as body

    index, shards = shard_of(command.shard)
    pairs = read_manifest(command.manifest)
    pairs = pairs[: command.n or None]
    source = prepared(command.data)
    model = stemjax.load(command.checkpoint, codec=command.codec)
    config = model.decode_config(command.preset or None)
    description = {
        "format": 1,
        "checkpoint": {"name": model.name, "version": model.version},
        "sha256": model.sha256,
        "codec": {"name": model.codec.name, "sha256": model.codec.sha256},
        "decode": to_json(config),
        "manifest_hash": manifest_hash(pairs),
        "sample_rate": model.sample_rate,
    }
    run = body.open_run(command.out, description, to_lines(pairs))
    mine = [p for k, p in enumerate(pairs) if k % shards == index]
    missing = [p for p in mine if not body.is_done(run, p.id)]

    def requests():
        for pair in missing:
            context, real = read_pair(source, pair)
            yield body.Request(pair.id, pair.category, pair.seed, context, real)

    with tqdm(desc="generating", total=len(mine), unit="stem", file=sys.stderr) as bar:
        bar.update(len(mine) - len(missing))
        body.generate(
            functools.partial(model.answer, config=config),
            requests(),
            run,
            sample_rate=model.sample_rate,
            batch_size=command.batch_size,
            progress=bar.update,
        )
    print(f"{run}: {len(mine)} stems; score them with: evaluate.py score --run {run}")


def shard_of(text: str) -> tuple[int, int]:
    """ "i/N" as numbers.

    Raises:
      UserError: not two whole numbers with 0 <= i < N.
    """
    from stemjax.io.errors import UserError

    index, _, count = text.partition("/")
    if index.isdigit() and count.isdigit() and int(index) < int(count):
        return int(index), int(count)
    raise UserError(f"--shard {text}: write i/N with 0 <= i < N, such as 0/4")


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
    if opened.is_tokens:
        for source in opened.sources:
            if source.codec["sha256"] != model.codec.sha256:
                raise UserError(
                    f"{command.data}: tokens of codec {source.codec['name']!r}, not of"
                    f" {model.codec.name!r}; fill a store with that one"
                )
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
    import numpy as np

    from data.crops import codec_eval_batches
    from data.spec import open_data
    from stemjax import codec
    from stemjax.eval import codec_table as body
    from stemjax.io.errors import UserError

    opened = open_data(command.data)
    if opened.is_tokens:
        raise UserError(f"{command.data}: a codec is measured on audio")
    loaded = codec.load(command.codec)

    def clips(split: str) -> list[np.ndarray]:
        batches = codec_eval_batches(
            opened.data,
            crop_seconds=command.seconds,
            split=split,
            batch_size=8,
            count=command.clips,
            seed=command.seed,
        )
        rows = [b["audio"][b["is_valid"]] for b in batches]
        return list(np.concatenate(rows).astype(np.float32) / 32_768)

    rows = body.codec_table(
        loaded.variables,
        loaded.config,
        clips(command.split),
        clips("train"),
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

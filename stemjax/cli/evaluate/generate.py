"""`evaluate.py generate`: stems for the contexts of a manifest, with one setting."""

import stemjax
from stemjax.cli.evaluate.arguments import Generate
from stemjax.cli.evaluate.decoding import bar, shard_of
from stemjax.cli.evaluate.examples import example_set
from stemjax.config.decode import DecodeConfig
from stemjax.config.runs import to_json
from stemjax.data.drawing.evaluation_pairs import read_manifest
from stemjax.data.spec import open_audio
from stemjax.eval.metrics.score import FORMAT
from stemjax.eval.populations.decoding_run import manifest_hash
from stemjax.eval.populations.generate import (
    ExampleSet,
    Job,
    System,
    decode_stems,
    describe,
    open_run,
    write_references,
)


def run(command: Generate) -> None:
    """Generate the stems of a manifest that are not there yet.

    Raises:
      UserError: a bad manifest, folder or model.
    """
    pairs = read_manifest(command.manifest)[: command.n or None]
    examples = example_set(open_audio(command.data), pairs)
    model = stemjax.load(command.checkpoint, codec=command.codec)
    run_generate(command, model, model.decode_config(command.preset or None), examples)


def run_generate(
    command: Generate, system: System, config: DecodeConfig, examples: ExampleSet
) -> None:
    """Write the run's clips that are not there yet.

    Raises:
      UserError: a bad shard, or a folder with a run of another description.
    """
    index, shards = shard_of(command.shard)
    about = {
        "format": FORMAT,
        "decode": to_json(config),
        "manifest_hash": manifest_hash(examples),
    }
    run = open_run(command.out, describe(system) | about, examples.manifest)
    mine = [p for k, p in enumerate(examples.pairs) if k % shards == index]
    write_references(run, examples, mine, system.sample_rate)
    stems = run / "generated"
    jobs = [Job(pair, config, 0, stems / f"{pair.id}.flac") for pair in mine]
    with bar("generating", len(mine), "stem") as progress:
        progress(sum(job.stem.is_file() for job in jobs))
        decode_stems(
            system,
            jobs,
            examples.read,
            batch_size=command.batch_size,
            progress=progress,
        )
    print(f"{run}: {len(mine)} stems; score them with: evaluate.py score --run {run}")

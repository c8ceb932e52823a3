"""`python evaluate.py generate`: a manifest's contexts answered with one setting."""

from stemjax.config.decode import DecodeConfig
from stemjax.config.runs import to_json
from stemjax.eval.commands.arguments import Generate
from stemjax.eval.commands.decoding import bar, shard_of
from stemjax.eval.generate import (
    ExampleSet,
    Job,
    System,
    decode_stems,
    describe,
    open_run,
    write_references,
)
from stemjax.eval.populations import manifest_hash
from stemjax.eval.score import FORMAT


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

"""`evaluate.py generate`: stems for the contexts of a manifest."""

import stemjax
from stemjax.cli.evaluate.shared.decoding import parse_shard
from stemjax.cli.evaluate.shared.decoding_arguments import GenerateArguments
from stemjax.cli.evaluate.shared.examples import example_set
from stemjax.cli.evaluate.shared.progress import ProgressBar
from stemjax.config.runs import to_json
from stemjax.data.drawing.evaluation_pairs import read_manifest
from stemjax.data.spec import open_audio
from stemjax.eval.metrics.score import FORMAT
from stemjax.eval.populations.decoding_run import manifest_hash
from stemjax.eval.populations.generate import (
    Job,
    decode_stems,
    describe,
    open_run,
    write_references,
)
from stemjax.eval.populations.progress import advance


def run(command: GenerateArguments) -> None:
    """Write the clips of a manifest that do not exist yet.

    Raises:
      UserError: a bad manifest, shard, model or preset, or a folder with another run.
    """
    shard = parse_shard(command.shard)
    pairs = read_manifest(command.manifest)[: command.n]
    examples = example_set(open_audio(command.data), pairs)
    model = stemjax.load(command.checkpoint, codec=command.codec)
    config = model.decode_config(command.preset or None)
    about = {
        "format": FORMAT,
        "decode": to_json(config),
        "manifest_hash": manifest_hash(examples),
    }
    folder = open_run(command.out, describe(model) | about, examples.manifest)
    chosen = [pair for k, pair in enumerate(pairs) if shard.holds(k)]
    write_references(folder, examples, chosen, model.sample_rate)
    stems = folder / "generated"
    jobs = [Job(pair, config, 0, stems / f"{pair.id}.flac") for pair in chosen]
    with ProgressBar(unit="stem") as progress:
        step = advance(progress, "generating", len(jobs))
        step(sum(job.stem.is_file() for job in jobs))
        decode_stems(
            model,
            jobs,
            examples.read,
            batch_size=command.batch_size,
            progress=step,
        )
    print(
        f"{folder}: {len(jobs)} stems; score them with:"
        f" stemjax evaluate score --run {folder}"
    )

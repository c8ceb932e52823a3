"""Evaluation examples drawn from a prepared folder, and the model that answers them."""

import functools
import pathlib
from collections.abc import Sequence

import stemjax
from stemjax.cli.evaluate.shared.decoding import parse_shard
from stemjax.cli.evaluate.shared.decoding_arguments import DecodingArguments
from stemjax.data.drawing.audio import StemSource
from stemjax.data.drawing.evaluation_pairs import (
    EvaluationPair,
    make_pairs,
    read_pair,
    to_lines,
)
from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.data.spec import open_audio
from stemjax.eval.populations.decoding_run import DecodingRun, manifest_hash
from stemjax.eval.populations.generate import ExampleSet


def example_set(source: StemSource, pairs: Sequence[EvaluationPair]) -> ExampleSet:
    """Rows of a manifest with the audio of their prepared folder."""
    return ExampleSet(pairs, to_lines(pairs), functools.partial(read_pair, source))


@functools.cache
def open_source(data: str, crop_seconds: float) -> StemSource:
    """A prepared folder, or synthetic songs for crops of a length if `data` is ""."""
    if data:
        return open_audio(data)
    return SyntheticSet(songs=(2, 8, 8), seconds=1.5 * crop_seconds)


def draw_examples(
    command: DecodingArguments, data: str, *, count: int, seed: int
) -> ExampleSet:
    """Draw examples from a prepared folder, or from synthetic songs if `data` is ""."""
    source = open_source(data, command.crop_seconds)
    pairs = make_pairs(
        source,
        split=command.split,
        count=count,
        seed=seed,
        crop_seconds=command.crop_seconds,
    )
    return example_set(source, pairs)


def draw_other_examples(command: DecodingArguments, count: int) -> ExampleSet:
    """Draw examples with another seed, for the anchors."""
    return draw_examples(command, command.data, count=count, seed=command.seed + 1)


def load_run(command: DecodingArguments, count: int) -> DecodingRun:
    """Load the model and draw its examples.

    Raises:
      UserError: a bad shard, bad data, or no such model.
    """
    parse_shard(command.shard)
    examples = draw_examples(command, command.data, count=count, seed=command.seed)
    model = stemjax.load(command.checkpoint, codec=command.codec)
    return DecodingRun(model, examples, pathlib.Path(command.out))


def describe_examples(command: DecodingArguments, examples: ExampleSet) -> list[str]:
    """Lines of a report on the examples."""
    songs = len({pair.song for pair in examples.pairs})
    lines = [
        f"{len(examples.pairs)} examples of {songs} songs, split {command.split}, seed"
        f" {command.seed}, manifest {manifest_hash(examples)[:12]}"
    ]
    if not command.data:
        lines.append("synthetic songs (no --data): a trial run, not a result")
    return lines

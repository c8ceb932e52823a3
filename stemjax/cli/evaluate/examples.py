"""Evaluation examples of a prepared folder, as the commands decode them."""

import functools
import pathlib
from typing import Any

import stemjax
from stemjax.cli.evaluate.decoding import about_examples, check_numbers
from stemjax.cli.evaluate.decoding_arguments import Decoding
from stemjax.data.drawing.evaluation_pairs import make_pairs, read_pair, to_lines
from stemjax.data.prepared.synthetic import SyntheticSet
from stemjax.data.spec import open_audio
from stemjax.eval.populations.decoding_run import DecodingRun
from stemjax.eval.populations.generate import ExampleSet


def example_set(source: Any, pairs: Any) -> ExampleSet:
    """Rows of a manifest with the audio of their prepared folder."""
    return ExampleSet(pairs, to_lines(pairs), functools.partial(read_pair, source))


@functools.cache
def source_of(data: str, seconds: float) -> Any:
    """A prepared folder, or synthetic songs for crops of `seconds` if `data` is ""."""
    if data:
        return open_audio(data)
    return SyntheticSet(songs=(2, 8, 8), seconds=1.5 * seconds)


def draw_examples(command: Decoding, data: str, *, count: int, seed: int) -> ExampleSet:
    """Examples of a prepared folder, or of synthetic songs if `data` is ""."""
    seconds = command.crop_seconds
    source = source_of(data, seconds)
    pairs = make_pairs(
        source, split=command.split, count=count, seed=seed, crop_seconds=seconds
    )
    return example_set(source, pairs)


def open_benches(
    command: Decoding, count: int
) -> tuple[DecodingRun, ExampleSet, list[str]]:
    """The model on its examples, other examples for its anchors, and lines about both.

    Raises:
      UserError: a number that no run can have, bad data, or no such model.
    """
    check_numbers(command)
    examples = draw_examples(command, command.data, count=count, seed=command.seed)
    others = draw_examples(command, command.data, count=count, seed=command.seed + 1)
    model = stemjax.load(command.checkpoint, codec=command.codec)
    bench = DecodingRun(model, examples, pathlib.Path(command.out))
    return bench, others, about_examples(command, examples)

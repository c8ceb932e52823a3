"""Anchor populations: real stems and silence in place of a model, for scale."""

import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.codec.codec import Codec
from stemjax.eval.populations.clips import Triple
from stemjax.eval.populations.decoding_run import DecodingRun, context_path, real_path
from stemjax.eval.populations.generate import (
    ExampleSet,
    Pair,
    write_references,
)
from stemjax.io.audio_files.formats import write_flac


def misaligned(pairs: Sequence[Pair]) -> list[int] | None:
    """Assign to each example an example of another song; every example is used once.

    Returns: [P] indices; None if no such order exists, because more than half of the
      examples belong to one song.
    """
    order = sorted(range(len(pairs)), key=lambda k: (pairs[k].song, pairs[k].id))
    songs = [pairs[k].song for k in order]
    largest = max(map(songs.count, set(songs)), default=0)
    if 2 * largest > len(pairs):
        return None
    partner = dict(zip(order, order[largest:] + order[:largest], strict=True))
    return [partner[k] for k in range(len(pairs))]


class Anchor(NamedTuple):
    """A reference population of a table."""

    name: str
    """Name of its row."""
    description: str
    """Explanation below the table."""
    triples: Callable[[int], list[Triple] | None]
    """Number of examples -> files of the first examples; None if they do not suffice."""


def anchors(run: DecodingRun, others: ExampleSet) -> list[Anchor]:
    """Anchors of a run: other examples, codec round trip, other songs, silence.

    Args:
      run: its examples.
      others: as many examples, drawn with another seed.
    """
    folder, pairs = run.folder, run.examples.pairs
    split = _split_folder(run)

    def real_split(count: int) -> list[Triple]:
        return [
            Triple(
                pair.id,
                real_path(folder, pair),
                real_path(split, other),
                context_path(folder, pair),
                context_path(split, other),
            )
            for pair, other in zip(pairs[:count], others.pairs, strict=False)
        ]

    def codec_floor(count: int) -> list[Triple]:
        return [
            Triple(
                pair.id,
                real_path(folder, pair),
                codec_path(run, pair),
                context_path(folder, pair),
            )
            for pair in pairs[:count]
        ]

    def other_songs(count: int) -> list[Triple] | None:
        partners = misaligned(pairs[:count])
        if partners is None:
            return None
        return [
            Triple(
                pair.id,
                real_path(folder, pair),
                real_path(folder, pairs[k]),
                context_path(folder, pair),
            )
            for pair, k in zip(pairs[:count], partners, strict=True)
        ]

    def silent(count: int) -> list[Triple]:
        stem = silence_path(run)
        return [
            Triple(pair.id, real_path(folder, pair), stem, context_path(folder, pair))
            for pair in pairs[:count]
        ]

    return [
        Anchor("real split", "real stems and contexts of other examples", real_split),
        Anchor("codec floor", "the real stems through the codec", codec_floor),
        Anchor("misaligned", "real stems of other songs", other_songs),
        Anchor("silent", "no stem at all", silent),
    ]


def codec_path(run: DecodingRun, pair: Pair) -> pathlib.Path:
    """Path of a real stem after a round trip through the codec."""
    codec = run.system.codec
    name = f"codec-{codec.sha256[:16]}"
    return run.folder / "anchors" / name / f"{pair.id}.flac"


def _split_folder(run: DecodingRun) -> pathlib.Path:
    return run.folder / "anchors" / "split"


def write_anchors(
    run: DecodingRun,
    others: ExampleSet,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> None:
    """Write the clips of `anchors` that do not exist yet.

    Args:
      run: its examples.
      others: see `anchors`.
      progress: called with the number of codec round trips that became available.
    """
    rate = run.system.sample_rate
    write_silence(run)
    write_references(_split_folder(run), others, others.pairs, rate)
    write_codec_floor(run, progress=progress)


def silence_path(run: DecodingRun) -> pathlib.Path:
    """Path of the silent stem."""
    return run.folder / "anchors" / "silence.flac"


def write_silence(run: DecodingRun) -> None:
    """Write a silent stem as long as the first example, unless it exists."""
    silence = silence_path(run)
    if not silence.is_file():
        _, real = run.examples.read(run.examples.pairs[0])
        write_flac(silence, np.zeros_like(real), run.system.sample_rate)


def write_codec_floor(
    run: DecodingRun, *, progress: Callable[[int], None] = lambda count: None
) -> None:
    """Write the codec round trips of the real stems that do not exist yet."""
    pairs = run.examples.pairs
    missing = [p for p in pairs if not codec_path(run, p).is_file()]
    progress(len(pairs) - len(missing))
    for pair in missing:
        _, real = run.examples.read(pair)
        decoded = through_codec(run.system.codec, real)
        write_flac(codec_path(run, pair), decoded, run.system.sample_rate)
        progress(1)


def through_codec(codec: Codec, audio: np.ndarray) -> np.ndarray:
    """Encode and decode audio [N] float32, [N].

    One clip per call: rounding depends on the number of rows, and a resumed run must give
    the same samples.
    """
    padded = np.pad(audio, (0, -len(audio) % codec.config.hop))[None]
    return np.asarray(codec.decode(codec.encode(padded)))[0, : len(audio)]

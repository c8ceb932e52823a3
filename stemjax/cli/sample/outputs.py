"""Files that `stemjax sample` and `stemjax edit` write for each variation."""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from stemjax import __version__
from stemjax.api import Model, Result
from stemjax.cli.sample.arguments import BatchArguments, SampleArguments
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DecodeConfig
from stemjax.config.plain_values import to_json
from stemjax.io.audio_files.formats import write_audio
from stemjax.io.errors import try_or_warn
from stemjax.io.json_file import write_json
from stemjax.session import midi, session_file
from stemjax.session.folder import TrackFormat, checkpoint_info
from stemjax.session.mixing import mix_down, resample_to_length
from stemjax.session.session import Session


class Destination(NamedTuple):
    """Folder and format of the files."""

    folder: pathlib.Path
    track_format: TrackFormat
    writes_midi: bool


def file_suffix(number: int, count: int) -> str:
    """Suffix of file names of a variation: "" if it is the only one, else "_01", ..."""
    return "" if count == 1 else f"_{number:02d}"


def request_of(
    arguments: SampleArguments | BatchArguments,
    model: Model,
    config: DecodeConfig,
    category: int,
) -> dict[str, Any]:
    """Everything that decides the files but the recording, by the names of the flags."""
    return {
        "checkpoint": model.sha256,
        "codec": model.codec.sha256,
        "instrument": CATEGORIES[category],
        "seed": arguments.seed,
        "variations": arguments.variations,
        "preset": arguments.preset,
        **to_json(config),
        "bpm": arguments.bpm,
        "key": arguments.key,
        "beats_per_bar": arguments.beats_per_bar,
        "loop": arguments.loop,
        "format": arguments.format.value,
        "like_context": arguments.like_context,
        "midi": arguments.midi,
    }


def track_length(model: Model, session: Session, track_format: TrackFormat) -> int:
    """Samples of the written tracks."""
    return round(len(session.context) * track_format.rate / model.sample_rate)


def write_variation(
    destination: Destination,
    suffix: str,
    model: Model,
    session: Session,
    category: int,
    result: Result,
    stem: np.ndarray,
) -> dict[str, Any]:
    """Write stem, mix and tokens.

    Args:
      suffix: see `file_suffix`.
      result: the generation.
      stem: [N] float32 to write; `result.stem` unless it was edited.

    Returns:
      The entry of the variation in the report.
    """
    folder, track_format, writes_midi = destination
    rate, ending = track_format.rate, track_format.ending
    samples = track_length(model, session, track_format)
    recording = session.recording
    track = resample_to_length(stem, model.sample_rate, rate, samples)
    tracks = mix_down(
        resample_to_length(recording.audio, recording.rate, rate, samples), [track]
    )
    entry = {
        "stem": f"stem{suffix}.{ending}",
        "mix": f"mix{suffix}.{ending}",
        "tokens": f"tokens{suffix}.npz",
        "gain": tracks.gain,
        "settings": result.settings,
        "warnings": list(result.warnings),
    }
    write_audio(folder / entry["stem"], track, rate)
    write_audio(folder / entry["mix"], tracks.mix, rate)
    session_file.save_tokens(folder / entry["tokens"], result.tokens, model.codec)
    return entry | ({"midi": f"stem{suffix}.mid"} if writes_midi else {})


def write_midi(
    folder: pathlib.Path,
    entry: Mapping[str, Any],
    model: Model,
    session: Session,
    category: int,
    stem: np.ndarray,
) -> None:
    """Write the MIDI file of an entry, if it has one; an error is one line on stderr."""
    if "midi" not in entry:
        return
    path, bpm = folder / entry["midi"], session.music.bpm
    write = functools.partial(
        midi.write_midi, path, stem, model.sample_rate, category, bpm
    )
    try_or_warn(write, f"{path}: not written")


def report_header(model: Model, session: Session) -> dict[str, Any]:
    """Entries that every report has: version, checkpoint, codec, context."""
    recording = session.recording
    return {
        "format": 1,
        "stemjax": __version__,
        "checkpoint": checkpoint_info(model),
        "codec": to_json(model.codec.reference),
        "context": {"file": recording.file, "sha256": recording.sha256},
    }


def write_report(path: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Write a JSON report."""
    write_json(path, report)

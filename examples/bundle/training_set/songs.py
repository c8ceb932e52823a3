"""Which songs the set holds: MIDI in several versions, composed songs in one.

Train songs are rendered `versions` times, version 0 as written.  Validation and test
songs are rendered once, as written.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stemjax.data.layouts.song import split_by_hash
from stemjax.data.layouts.split_table import read_split_table
from stemjax.data.render.__main__ import RenderArgs, midi_sources
from stemjax.data.render.compose import split_of
from stemjax.data.render.harmony import Split
from stemjax.data.render.jobs import Limits, Recipe, Source, SynthChoice, read_score
from stemjax.data.render.versions import Version, draw_variation
from stemjax.io.errors import UserError

MAX_VERSIONS = 9
MAX_SONGS = 9999
_SAMPLE = 24  # songs that are read to estimate the others
_BLOCK = 10_000  # TrackVNNNN: version V of song N; 9 is the composer's block


class Job(NamedTuple):
    """A song to render, and with what."""

    source: Source
    choice: SynthChoice


class Amount(NamedTuple):
    """Work and disk, in seconds of stems."""

    to_render: float  # estimated
    rendered: float  # there from an earlier run


def midi_jobs(
    folder: Path,
    splits: Path | None,
    versions: int,
    seed: int,
    choices: Sequence[SynthChoice],
) -> list[Job]:
    """Versions of the MIDI songs of a folder.

    Splits come from the table; without a row, from a hash of the song's name.

    Raises:
      UserError: no MIDI there, too many songs, or a table that cannot be read.
    """
    if splits:
        read_split_table(splits)  # it checks more than the renderer's reader
    plain, _ = midi_sources(RenderArgs(out=folder, midi=folder, splits=splits))
    if int(plain[-1].track.removeprefix("Track")) > MAX_SONGS:
        raise UserError(f"{folder} holds over {MAX_SONGS} MIDI files: split it")
    jobs = []
    for source in plain:
        title = source.about.get("title") or source.origin.stem
        split = source.about.get("split") or split_by_hash(title)
        source = dataclasses.replace(
            source, about={**source.about, "title": title, "split": split}
        )
        count = versions if split == Split.TRAIN else 1
        for number in range(count):
            jobs.append(_midi_job(source, Version(seed, title, number), choices))
    return jobs


def _midi_job(source: Source, version: Version, choices: Sequence[SynthChoice]) -> Job:
    song = int(source.track.removeprefix("Track"))
    versioned = dataclasses.replace(
        source,
        track=f"Track{version.number * _BLOCK + song:05d}",
        variation=draw_variation(version),
        version=version,
    )
    return Job(versioned, choices[version.soundfont(len(choices))])


def composed_jobs(
    songs: int, seconds: float, seed: int, choices: Sequence[SynthChoice]
) -> list[Job]:
    """The composer's songs; those for training are treated, in their own key and tempo.

    Tempi tell the composer's splits apart, so they are left as they are.
    """
    jobs = []
    for index in range(songs):
        is_train = split_of(index) is Split.TRAIN
        version = Version(seed, f"Composed {index}", int(is_train))
        source = Source(
            f"Track{MAX_VERSIONS * _BLOCK + index + 1:05d}",
            Recipe(seed, index, seconds),
            {},
            version=version,
        )
        jobs.append(Job(source, choices[version.soundfont(len(choices))]))
    return jobs


def measure(jobs: Sequence[Job], songs: Path, limits: Limits) -> Amount:
    """Stems of all songs in seconds; those not there from a sample of the songs."""
    there = [songs / job.source.track for job in jobs]
    rendered = sum(_seconds_there(folder) for folder in there if folder.exists())
    missing = [
        job for job, folder in zip(jobs, there, strict=True) if not folder.exists()
    ]
    sample = missing[:: -(-len(missing) // _SAMPLE) or 1]
    seconds = [_seconds_of(job.source, limits) for job in sample]
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    return Amount(mean * len(missing), rendered)


def _seconds_of(source: Source, limits: Limits) -> float:
    try:
        score = read_score(source, limits)
    except UserError:  # will be named when it is rendered
        return 0.0
    return score.seconds * len(score.stems)


def _seconds_there(folder: Path) -> float:
    import soundfile

    total = 0.0
    for path in (folder / "stems").glob("*.flac"):
        try:
            total += soundfile.info(path).duration
        except soundfile.LibsndfileError as error:
            raise UserError(
                f"cannot read {path} ({error}): delete {folder}, it is rendered again"
            ) from error
    return total

"""Time and disk that rendering takes, printed before it starts."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stemjax.data.disk import check_disk, free_bytes, size_text
from stemjax.data.render.jobs import (
    ComposerRecipe,
    Limits,
    SongSource,
    read_score,
)
from stemjax.data.render.sources import RenderJob
from stemjax.io.errors import UserError

_SAMPLE = 24  # MIDI songs that are read to estimate the others
_PARTS = 6.5  # mean number of parts of a composed song
_FLAC_BYTES = 26_000  # measured, per second of a stem with its share of the mix
_RENDER_SECONDS = 0.005  # measured, of one core per second of a stem


class StemSeconds(NamedTuple):
    """Total length of all stems in seconds."""

    to_render: float
    """Length of the songs left, estimated from a sample of them."""
    rendered: float
    """Length of the songs that an earlier start finished."""


def measure(jobs: Sequence[RenderJob], out: Path, limits: Limits) -> StemSeconds:
    """Stems of all songs of a command."""
    folders = [out / job.song.track for job in jobs]
    rendered = sum(_rendered_seconds(f) for f in folders if f.exists())
    missing = [j for j, f in zip(jobs, folders, strict=True) if not f.exists()]
    songs = [job.song for job in missing]
    recipes = [s.origin for s in songs if isinstance(s.origin, ComposerRecipe)]
    midi = [song for song in songs if not isinstance(song.origin, ComposerRecipe)]
    sample = midi[:: -(-len(midi) // _SAMPLE) or 1]
    seconds = [_score_seconds(song, limits) for song in sample]
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    composed = _PARTS * sum(recipe.seconds for recipe in recipes)
    return StemSeconds(mean * len(midi) + composed, rendered)


def announce(
    jobs: Sequence[RenderJob], out: Path, limits: Limits, workers: int
) -> None:
    """Print the number of songs, the disk and the time.

    Raises:
      UserError: the disk is too small.
    """
    amount = measure(jobs, out, limits)
    total = amount.to_render + amount.rendered
    print(
        f"{len(jobs)} songs, about {total / 3600:.2f} h of stems,"
        f" {amount.rendered / 3600:.2f} h of them there from an earlier run"
    )
    need = amount.to_render * _FLAC_BYTES
    minutes = amount.to_render * _RENDER_SECONDS / workers / 60
    print(
        f"needs about {size_text(need)} of {size_text(free_bytes(out))} free and about"
        f" {minutes:.0f} min with {workers} processes",
        flush=True,
    )
    mend = "free some, or render fewer or shorter songs"
    check_disk(out, need, purpose="rendering", mend=mend)


def _score_seconds(song: SongSource, limits: Limits) -> float:
    try:
        score = read_score(song, limits)
    except UserError:  # reported when it is rendered
        return 0.0
    return score.seconds * len(score.stems)


def _rendered_seconds(folder: Path) -> float:
    from stemjax.io.audio_files.stream import read_header

    total = 0.0
    for path in (folder / "stems").glob("*.flac"):
        try:
            header = read_header(path)
        except UserError as error:
            raise UserError(f"{error}; delete {folder}, it is rendered again") from None
        total += (header.frames or 0) / header.rate
    return total

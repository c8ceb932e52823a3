"""The songs that a command renders: composed, from MIDI files, or a set of versions.

In a set of versions a MIDI song of train is rendered `versions` times, version 0 as
written; validation and test songs are rendered once, as written.  Composed songs of train
are treated but keep their key and tempo, which tell the composer's splits apart.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stemjax.data.layouts.song import folders_in, split_by_hash
from stemjax.data.layouts.split_table import OMIT, read_split_csv
from stemjax.data.render.arguments import MAX_SONGS, MAX_VERSIONS, RenderArgs
from stemjax.data.render.composer.compose import split_of
from stemjax.data.render.composer.harmony import Split
from stemjax.data.render.jobs import ComposerRecipe, SongSource, SynthChoice
from stemjax.data.render.soundfont import INSTALL, default_soundfont, has_tinysoundfont
from stemjax.data.render.vary import Variation
from stemjax.data.render.versions import Version, draw_variation
from stemjax.io.errors import UserError

_COLUMNS = ("title", "composer", "split")  # copied into metadata.yaml
_BLOCK = 10_000  # TrackVNNNN: version V of song N; 9 is the composer's block


class RenderJob(NamedTuple):
    """A song and its synth."""

    song: SongSource
    synth: SynthChoice


class JobList(NamedTuple):
    """All songs of a command, and the files that its table omits."""

    jobs: list[RenderJob]
    omitted: list[str]


def list_jobs(args: RenderArgs) -> JobList:
    """Songs of a command in order of their number; nothing is read or rendered.

    Raises:
      UserError: no MIDI file, a table or soundfont that cannot be read, or an --out that
        holds songs of another set.
    """
    synths = [choose_synth(path) for path in args.sf2 or (None,)]
    if args.versions:
        return _versioned_jobs(args, synths)
    if args.midi:
        songs, omitted = midi_songs(args)
        return JobList([RenderJob(song, synths[0]) for song in songs], omitted)
    jobs = [RenderJob(song, synths[0]) for song in composed_songs(args)]
    return JobList(jobs, [])


def composed_songs(args: RenderArgs) -> list[SongSource]:
    """Songs for the composer to write."""
    return [
        SongSource(
            f"Track{args.first_track + index:05d}",
            ComposerRecipe(args.seed, index, args.seconds),
            {},
        )
        for index in range(args.composed)
    ]


def midi_songs(args: RenderArgs) -> tuple[list[SongSource], list[str]]:
    """Songs of a folder in order of name, and the names that `splits` omits.

    A song's number does not depend on the files that are left out.  Rows of the table
    that name no file of the folder are reported on stderr.
    """
    folder = args.midi
    if not folder.is_dir():
        raise UserError(f"--midi {folder} is no folder: check the path")
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (".mid", ".midi")
    )
    if not paths:
        raise UserError(f"no .mid file in {folder}: check --midi")
    table = _read_rows(args.splits) if args.splits else {}
    if absent := sorted(table.keys() - {path.name for path in paths}):
        print(
            f"{args.splits}: {len(absent)} of {len(table)} rows name no file in {folder},"
            f" {absent[0]!r} the first: check the column file",
            file=sys.stderr,
        )
    variation = Variation(args.transpose, args.tempo)
    songs, omitted = [], []
    for number, path in enumerate(paths, start=args.first_track):
        row = table.get(path.name, {})
        if row.get("split") == OMIT:
            omitted.append(path.name)
            continue
        if args.split and row.get("split") != args.split:
            continue
        about = {key: row[key] for key in _COLUMNS if row.get(key)}
        songs.append(SongSource(f"Track{number:05d}", path, about, variation))
    if not songs:
        raise UserError(
            f"no song of {folder} is in split {args.split!r}: check --split"
        )
    return songs, omitted


def _read_rows(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a split table by file name.

    Raises:
      UserError: not readable, columns missing, or an unknown split.
    """
    table = read_split_csv(path)
    if "file" not in table.columns:
        raise UserError(f"{path} has no column `file`: name the .mid files in it")
    return {row["file"]: row for _, row in table.rows}


def _versioned_jobs(args: RenderArgs, synths: Sequence[SynthChoice]) -> JobList:
    """MIDI songs in versions, then composed songs."""
    versioned, omitted = [], []
    if args.midi:
        songs, omitted = midi_songs(args)
        if int(songs[-1].track.removeprefix("Track")) > MAX_SONGS:
            raise UserError(f"{args.midi} has over {MAX_SONGS} MIDI files: split it")
        versioned += [s for song in songs for s in _versions_of(song, args)]
    for index in range(args.composed):
        is_train = split_of(index) is Split.TRAIN
        recipe = ComposerRecipe(args.seed, index, args.seconds)
        version = Version(args.seed, f"Composed {index}", int(is_train))
        track = f"Track{MAX_VERSIONS * _BLOCK + index + 1:05d}"
        versioned.append(SongSource(track, recipe, {}, version=version))
    _refuse_others(args.out, versioned)
    count = len(synths)
    jobs = [RenderJob(s, synths[s.version.soundfont(count)]) for s in versioned]
    return JobList(jobs, omitted)


def _versions_of(song: SongSource, args: RenderArgs) -> list[SongSource]:
    """The versions of a MIDI song; its split is the table's, else a hash of its title."""
    title = song.about.get("title") or song.origin.stem
    split = song.about.get("split") or split_by_hash(title)
    number = int(song.track.removeprefix("Track"))
    count = args.versions if split == Split.TRAIN else 1
    versions = [Version(args.seed, title, version) for version in range(count)]
    return [
        dataclasses.replace(
            song,
            track=f"Track{version.number * _BLOCK + number:05d}",
            about={**song.about, "title": title, "split": split},
            variation=draw_variation(version),
            version=version,
        )
        for version in versions
    ]


def _refuse_others(out: Path, songs: Sequence[SongSource]) -> None:
    """The set is what lies in the folder, so it must hold no other songs."""
    if not out.is_dir():
        return
    wanted = {song.track for song in songs}
    others = [folder.name for folder in folders_in(out) if folder.name not in wanted]
    if others:
        raise UserError(
            f"{out} holds {len(others)} songs of another set ({others[0]}, ...):"
            " delete them or give a new --out"
        )


def choose_synth(sf2: Path | None) -> SynthChoice:
    """The given soundfont, by default TimGM6mb if installed, else the NumPy synth."""
    if sf2 is None:
        sf2 = default_soundfont()
        return SynthChoice(sf2 if has_tinysoundfont() else None)
    if not sf2.is_file():
        raise UserError(f"soundfont {sf2} does not exist: check --sf2")
    if not has_tinysoundfont():
        raise UserError("--sf2 needs tinysoundfont: " + INSTALL)
    return SynthChoice(sf2)

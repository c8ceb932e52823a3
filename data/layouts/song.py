"""What a layout's loader yields: songs, their stems and splits. No audio is read."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

SPLITS = ("train", "validation", "test")
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")


@dataclasses.dataclass(frozen=True)
class StemFile:
    """One stem of a song."""

    name: str
    category: int  # stemjax.config.categories; -1 unknown: context, never target
    path: Path
    more: tuple[Path, ...] = ()  # files that are summed to it, cut to the shortest

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the stem."""
        return (self.path, *self.more)


@dataclasses.dataclass(frozen=True)
class Song:
    """One song, split into stems that sum to its mix."""

    id: str  # unique within the data set
    title: str
    split: str  # one of SPLITS
    source: str  # the layout it came from
    stems: tuple[StemFile, ...]


@dataclasses.dataclass(frozen=True)
class Fault:
    """Why a song cannot be used, in words for the user."""

    song: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Listing:
    """Everything a loader found, in a fixed order."""

    songs: tuple[Song, ...]
    faults: tuple[Fault, ...] = ()  # songs that are skipped
    warnings: tuple[Fault, ...] = ()  # songs that are used all the same
    omitted: int = 0  # songs left out on purpose: duplicates, rows that say omit


def split_by_hash(key: str) -> str:
    """A split from a song's own name: 80 % train, 10 % validation, 10 % test.

    SHA-256 of `key` modulo 100, so that adding songs never moves another song.
    """
    point = int(hashlib.sha256(key.encode()).hexdigest(), 16) % 100
    return "train" if point < 80 else "validation" if point < 90 else "test"


def artist_key(artist: str) -> str:
    """An artist's name for `split_by_hash`: letters and digits, in one case.

    All songs of an artist then share a split, whatever the spelling of a title.
    """
    return "".join(letter for letter in artist.casefold() if letter.isalnum())


def folders_in(folder: Path) -> list[Path]:
    """Sub-folders in order of name; hidden ones are somebody's unfinished work."""
    found = (path for path in folder.iterdir() if path.is_dir())
    return sorted(path for path in found if not path.name.startswith("."))


def audio_in(folder: Path) -> list[Path]:
    """Audio files of a folder in order of name; none when there is no such folder."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.is_file())
    return sorted(
        path
        for path in found
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    )


def song_folders(root: Path) -> list[tuple[str | None, Path]]:
    """(split or None, song folder) of a data set, split folders first.

    A folder called train, validation or test directly under `root` holds songs of that
    split; with at least one of them no other folder of `root` is read (so Slakh redux's
    `omitted` is left out).  Without any, every folder is a song without a split.
    """
    splits = [split for split in SPLITS if (root / split).is_dir()]
    if splits:
        return [(split, song) for split in splits for song in folders_in(root / split)]
    return [(None, song) for song in folders_in(root)]


def in_order(songs: Sequence[Song]) -> tuple[Song, ...]:
    """Songs by split, then by id."""
    return tuple(sorted(songs, key=lambda song: (SPLITS.index(song.split), song.id)))

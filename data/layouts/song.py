"""Songs, stems and splits, as a layout lists them; no audio is read."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

SPLITS = ("train", "validation", "test")
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")


def readable(name: str) -> str:
    """A name as text: what is no text, such as a file name in Latin-1, is escaped.

    Python keeps such bytes as lone surrogates, which no file in UTF-8 can hold.
    """
    return name.encode(errors="backslashreplace").decode()


@dataclasses.dataclass(frozen=True)
class StemFile:
    """One stem of a song."""

    name: str
    category: int
    """Index of `stemjax.config.categories`; -1 unknown: context, never target."""
    path: Path
    more: tuple[Path, ...] = ()
    """Further files that are added to it, cut to the shortest."""

    def __post_init__(self):
        object.__setattr__(self, "name", readable(self.name))

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the stem."""
        return (self.path, *self.more)


@dataclasses.dataclass(frozen=True)
class Song:
    """One song, split into stems that sum to its mix."""

    id: str
    """Unique within the data set."""
    title: str
    split: str
    """One of `SPLITS`."""
    source: str
    """Name of its layout."""
    stems: tuple[StemFile, ...]

    def __post_init__(self):
        object.__setattr__(self, "id", readable(self.id))
        object.__setattr__(self, "title", readable(self.title))


@dataclasses.dataclass(frozen=True)
class SongFault:
    """A song, and why it is skipped or needs a remark."""

    song: str
    reason: str

    def __post_init__(self):
        object.__setattr__(self, "song", readable(self.song))
        object.__setattr__(self, "reason", readable(self.reason))


@dataclasses.dataclass(frozen=True)
class SongListing:
    """All songs of a data set, in a fixed order."""

    songs: tuple[Song, ...]
    faults: tuple[SongFault, ...] = ()
    """Songs that are skipped."""
    warnings: tuple[SongFault, ...] = ()
    """Remarks on songs that are used."""
    omitted: int = 0
    """Songs left out on purpose: duplicates, rows of the split table with `omit`."""


def split_by_hash(key: str) -> str:
    """The split of a key such as a title: 80 % train, 10 % validation, 10 % test.

    It depends on SHA-256 of `key` modulo 100, so added songs never move another song.
    """
    point = (
        int(hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest(), 16) % 100
    )
    return "train" if point < 80 else "validation" if point < 90 else "test"


def artist_key(artist: str) -> str:
    """An artist's name as key of `split_by_hash`: its letters and digits, case-folded.

    All songs of an artist share a split in any spelling.
    """
    return "".join(letter for letter in artist.casefold() if letter.isalnum())


def folders_in(folder: Path) -> list[Path]:
    """Sub-folders in order of name, without hidden ones, which may be unfinished."""
    folders = (path for path in folder.iterdir() if path.is_dir())
    return sorted(path for path in folders if not path.name.startswith("."))


def audio_in(folder: Path) -> list[Path]:
    """Audio files of a folder in order of name; [] without such a folder.

    A link to a missing file is among them, so that its song is reported.
    """
    if not folder.is_dir():
        return []
    files = (path for path in folder.iterdir() if path.is_file() or _is_broken(path))
    return sorted(
        path
        for path in files
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    )


def _is_broken(path: Path) -> bool:
    """Whether a path is a link to a missing file."""
    return path.is_symlink() and not path.exists()


def song_folders(root: Path) -> list[tuple[str | None, Path]]:
    """(split or None, song folder) of a data set, split folders first.

    A folder named train, validation or test directly under `root` holds songs of that
    split.  If there is one, no other folder of `root` is read (`omitted` of Slakh redux
    is left out).  Otherwise every folder is a song without a split.
    """
    splits = [split for split in SPLITS if (root / split).is_dir()]
    if splits:
        return [(split, song) for split in splits for song in folders_in(root / split)]
    return [(None, song) for song in folders_in(root)]


def in_order(songs: Sequence[Song]) -> tuple[Song, ...]:
    """Songs by split, then by id."""
    return tuple(sorted(songs, key=lambda song: (SPLITS.index(song.split), song.id)))

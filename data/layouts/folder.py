"""Folders of songs: one folder per song, one audio file per stem, optional `stems.csv`."""

import re
from pathlib import Path

from stemjax.config.categories import UNKNOWN, category_of
from stemjax.data.layouts.song import (
    Song,
    SongFault,
    SongListing,
    StemFile,
    audio_in,
    in_order,
    song_folders,
    split_by_hash,
)
from stemjax.data.layouts.split_table import OMIT, SplitTable
from stemjax.io.errors import UserError
from stemjax.io.table_file import read_csv

TABLE = "stems.csv"
_COLUMNS = ("song", "file", "category")
MIXES = frozenset({"mix", "mixture", "master", "mixdown"})  # not stems
_NUMBER = re.compile(r"^\d+[\s._-]+|[\s._-]*\d+$")  # "01 bass", "guitar_2"


def read_songs(root: Path, splits: SplitTable | None) -> SongListing:
    """Songs of a folder of folders, `song/stem.wav`, or `train/song/stem.wav` and so on.

    - The category is the file's name without numbers before or after it ("02_Bass.wav").
      A file with another name is of unknown category (context only), with a warning.
    - `stems.csv` in `root` (columns `song,file,category`) overrides names; an empty
      category is unknown, `omit` leaves the file out.
    - Files named mix, mixture, mixdown or master are left out: the mix is the sum.
    - The split is that of the song's row in `splits`, else of its folder, else a hash of
      its name.

    Raises:
      UserError: a stems.csv without its columns or with an unknown category.
    """
    table = _read_table(root / TABLE)
    songs, faults, warnings, omitted = [], [], [], 0
    seen: dict[str, Path] = {}
    left_out: set[str] = set()
    for folder_split, folder in song_folders(root):
        name = folder.name
        split = splits.split_of(file=None, title=name, id=name) if splits else None
        if split == OMIT:
            omitted += 1
            left_out.add(name)
            continue
        if name in seen:
            raise UserError(f"{folder} has the name of {seen[name]}: rename one")
        seen[name] = folder
        rows = table.get(name, {})
        stems = []
        for path in audio_in(folder):
            category = rows.pop(path.name, None)
            if category is None:
                if _bare(path.stem) in MIXES:
                    continue
                category = _by_name(path.stem)
                if category is None:
                    category = UNKNOWN
                    warnings.append(
                        SongFault(
                            name,
                            f"{path.name} names no category: context only; name it in"
                            f" {TABLE}",
                        )
                    )
            elif category == OMIT:
                continue
            stems.append(StemFile(path.stem, category, path))
        if rows:
            missing = ", ".join(sorted(rows))
            faults.append(SongFault(name, f"{TABLE} lists {missing}, not in {folder}"))
        elif not stems:
            faults.append(SongFault(name, f"no audio file in {folder}"))
        else:
            split = split or folder_split or split_by_hash(name)
            songs.append(Song(name, name, split, "folder", tuple(stems)))
    for name in sorted(table.keys() - seen.keys() - left_out):
        warnings.append(
            SongFault(name, f"{TABLE} lists it, but {root} has no such song")
        )
    return SongListing(in_order(songs), tuple(faults), tuple(warnings), omitted)


def _bare(name: str) -> str:
    return _NUMBER.sub("", name.strip()).strip().lower()


def _by_name(name: str) -> int | None:
    try:
        return category_of(_bare(name))
    except ValueError:
        return None


def _read_table(path: Path) -> dict[str, dict[str, int | str]]:
    """Song -> file -> category index or OMIT; {} without a table.

    Raises:
      UserError: not readable, columns missing, an unknown category, or two rows of one
        file that disagree.
    """
    if not path.exists():
        return {}
    table: dict[str, dict[str, int | str]] = {}
    rows = read_csv(path, _COLUMNS, mend="its first line is song,file,category").rows
    for where, row in rows:
        try:
            category = _category(row["category"])
        except ValueError as error:
            raise UserError(f"{where}: {error}") from None
        files = table.setdefault(row["song"], {})
        if files.setdefault(row["file"], category) != category:
            raise UserError(f"{where}: {row['file']!r} has two categories; keep one")
    return table


def _category(word: str) -> int | str:
    if word.lower() == OMIT:
        return OMIT
    return category_of(word) if word else UNKNOWN

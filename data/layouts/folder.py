"""Plain folders: one folder a song, one audio file a stem, `stems.csv` if need be."""

import csv
import re
from pathlib import Path

from stemjax.config.categories import UNKNOWN, category_of
from stemjax.data.layouts.song import (
    Fault,
    Listing,
    Song,
    StemFile,
    audio_in,
    in_order,
    song_folders,
    split_by_hash,
)
from stemjax.data.layouts.split_table import OMIT, SplitTable
from stemjax.io.errors import UserError

TABLE = "stems.csv"
MIXES = frozenset({"mix", "mixture", "master", "mixdown"})  # not stems
_NUMBER = re.compile(r"^\d+[\s._-]+|[\s._-]*\d+$")  # "01 bass", "guitar_2"


def read_songs(root: Path, splits: SplitTable | None) -> Listing:
    """Songs of a folder of folders, `song/stem.wav`, or `train/song/stem.wav` and so on.

    - The category is the file's name, numbers before or after it apart ("02_Bass.wav").
      A name that is no category is of unknown category (context only), with a warning.
    - `stems.csv` in `root` (columns `song,file,category`) overrules names; an empty
      category is unknown, `omit` leaves the file out.
    - Files called mix, mixture, mixdown or master are left out: the mix is the sum.
    - The split is the song's row in `splits`, else its folder, else a hash of its name.

    Raises:
      UserError: a stems.csv without its columns or with an unknown category.
    """
    table = _read_table(root / TABLE)
    songs, faults, warnings, omitted = [], [], [], 0
    seen: dict[str, Path] = {}
    for folder_split, folder in song_folders(root):
        name = folder.name
        split = splits.split_of(file=None, title=name, id=name) if splits else None
        if split == OMIT:
            omitted += 1
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
                        Fault(
                            name,
                            f"{path.name} names no category: context only; say it in"
                            f" {TABLE}",
                        )
                    )
            elif category == OMIT:
                continue
            stems.append(StemFile(path.stem, category, path))
        if rows:
            missing = ", ".join(sorted(rows))
            faults.append(Fault(name, f"{TABLE} lists {missing}, not in {folder}"))
        elif not stems:
            faults.append(Fault(name, f"no audio file in {folder}"))
        else:
            split = split or folder_split or split_by_hash(name)
            songs.append(Song(name, name, split, "folder", tuple(stems)))
    return Listing(in_order(songs), tuple(faults), tuple(warnings), omitted)


def _bare(name: str) -> str:
    return _NUMBER.sub("", name.strip()).strip().lower()


def _by_name(name: str) -> int | None:
    try:
        return category_of(_bare(name))
    except ValueError:
        return None


def _read_table(path: Path) -> dict[str, dict[str, int | str]]:
    """song -> file -> category index or OMIT; empty without a table."""
    table: dict[str, dict[str, int | str]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not {"song", "file", "category"} <= set(reader.fieldnames or ()):
                raise UserError(f"{path} needs the columns song,file,category")
            for row in reader:
                word = (row["category"] or "").strip()
                try:
                    category = (
                        OMIT
                        if word.lower() == OMIT
                        else category_of(word)
                        if word
                        else UNKNOWN
                    )
                except ValueError as error:
                    raise UserError(f"{path} line {reader.line_num}: {error}") from None
                song, name = (row["song"] or "").strip(), (row["file"] or "").strip()
                table.setdefault(song, {})[name] = category
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    return table

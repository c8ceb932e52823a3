"""Slakh2100's layout: `TrackXXXXX/{metadata.yaml, stems/Sxx.flac}`, redux or flat.

The files on the disk decide: metadata.yaml lists stems without audio, its `audio_dir`
can be wrong (Track00616), and stem numbers start at S00 and have gaps.
"""

from pathlib import Path
from typing import Any

from stemjax.config.categories import DRUMS, UNKNOWN, category_of_program
from stemjax.data.layouts.song import (
    SPLITS,
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
from stemjax.data.layouts.yaml_file import read_yaml, text_of
from stemjax.data.render.slakh import CLASSES
from stemjax.io.errors import UserError

# Case matters: "Sound Effects" is class 12, "Sound effects" class 15.
_BY_CLASS = {name: number for number, name in enumerate(CLASSES)} | {"Drums": DRUMS}


def read_songs(root: Path, splits: SplitTable | None) -> SongListing:
    """Songs of a Slakh-layout folder.

    The split of a song is that of its row in `splits`, else its folder (train,
    validation, test; `omitted` and others beside them are left out), else the `split` of
    its metadata.yaml, else a hash of its title, file or id.  Of songs with the same
    `UUID` (the MD5 of their MIDI) the first by split and id is kept.
    """
    songs: list[tuple[Song, str | None]] = []
    faults: list[SongFault] = []
    warnings: list[SongFault] = []
    omitted = 0
    for folder_split, folder in song_folders(root):
        try:
            meta = _read_metadata(folder)
            stems, unsure = _stems(folder, meta)
        except UserError as error:
            faults.append(SongFault(folder.name, str(error)))
            continue
        split = _split(folder, folder_split, meta, splits)
        if split == OMIT:
            omitted += 1
            continue
        warnings += [SongFault(folder.name, reason) for reason in unsure]
        title = str(meta.get("title") or folder.name)
        uuid = meta.get("UUID")
        song = Song(folder.name, title, split, "slakh", stems)
        songs.append((song, str(uuid) if uuid else None))
    kept, seen = [], set()
    identity = dict(songs)
    for song in in_order([song for song, _ in songs]):
        uuid = identity[song]
        if uuid in seen:
            omitted += 1
            continue
        if uuid:
            seen.add(uuid)
        kept.append(song)
    return SongListing(tuple(kept), tuple(faults), tuple(warnings), omitted)


def _read_metadata(folder: Path) -> dict[str, Any]:
    path = folder / "metadata.yaml"
    meta = read_yaml(path, mend="unpack the song again")
    if not isinstance(meta.get("stems") or {}, dict):
        raise UserError(f"{path} is not Slakh's: it must map `stems` to Sxx entries")
    texts = ("UUID", "source_midi", "title", "split")
    return meta | {field: text_of(meta, field, path) for field in texts}


def _stems(folder: Path, meta: dict) -> tuple[tuple[StemFile, ...], list[str]]:
    """Stems with a file, and remarks on those of unknown category."""
    entries = meta.get("stems") or {}
    stems, remarks = [], []
    for path in audio_in(folder / "stems"):
        category = _category(entries.get(path.stem))
        if category == UNKNOWN:
            remarks.append(f"stems/{path.name} has no instrument in metadata.yaml")
        stems.append(StemFile(path.stem, category, path))
    if not stems:
        raise UserError(f"no audio file in {folder / 'stems'}: unpack the song again")
    return tuple(stems), remarks


def _category(entry: Any) -> int:
    """By `is_drum`, then `program_num`, then the exact words of `inst_class`."""
    if not isinstance(entry, dict):
        return UNKNOWN
    if entry.get("is_drum") is True:
        return DRUMS
    program = entry.get("program_num")
    if type(program) is int and 0 <= program <= 128:
        return category_of_program(program)
    word = entry.get("inst_class")
    return _BY_CLASS.get(word, UNKNOWN) if isinstance(word, str) else UNKNOWN


def _split(
    folder: Path, folder_split: str | None, meta: dict, splits: SplitTable | None
) -> str:
    file, title = meta.get("source_midi"), meta.get("title")
    if splits:
        split = splits.split_of(
            file=str(file) if file else None,
            title=str(title) if title else None,
            id=folder.name,
        )
        if split:
            return split
    if folder_split:
        return folder_split
    if meta.get("split") in SPLITS:
        return meta["split"]
    return split_by_hash(str(title or file or folder.name))

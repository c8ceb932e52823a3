"""Slakh2100: `TrackXXXXX/{metadata.yaml, stems/Sxx.flac}`, in split folders or flat.

Traps of the archive (slakh-utils issues 20 and 25, mirdata 585), each with a test:
stems are numbered from S00 with gaps; metadata lists stems that have no audio, so a file
counts only if it exists; `audio_dir` can hold junk and is never read; `plugin_name` can
be the string "None" and `integrated_loudness` absent; "Sound Effects" and "Sound effects"
are two classes, so the category comes from `is_drum` and `program_num`; songs with one
MIDI file (`UUID`) occur several times and are kept once; `omitted/` is left out (redux).
"""

import pathlib
from collections.abc import Iterator, Mapping

import yaml

from data.errors import DataError
from data.layouts.song import Song, Stem, split_by_hash
from data.manifest import SPLITS
from stemjax.config.categories import UNKNOWN, category_of_program

SUFFIXES = (".flac", ".wav")
OMITTED = "omitted"


def songs(root: pathlib.Path, splits: Mapping[str, str]) -> Iterator[Song]:
    """Songs of a Slakh tree, each UUID once, ordered by path.

    Args:
      root: holds `train/`, `validation/`, `test/` with tracks, or tracks directly.
      splits: title, source file or track id -> split; "omit" leaves a song out. A flat
        track that it does not name has the split of its metadata, or of its title's hash.
    """
    seen: dict[str, str] = {}
    for path in sorted(root.rglob("metadata.yaml")):
        folder = path.parent
        if OMITTED in folder.relative_to(root).parts:
            continue
        try:
            meta = yaml.safe_load(path.read_text(encoding="utf-8"))
            listed = dict(meta["stems"])
        except (yaml.YAMLError, TypeError, KeyError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:120]
            raise DataError(f"{path}: not Slakh metadata ({reason}); mend it") from None
        uuid = str(meta.get("UUID") or folder.name)
        if uuid in seen:
            continue
        seen[uuid] = folder.name
        split = _split(folder, root, meta, splits)
        if split == "omit":
            continue
        title = str(meta.get("title") or folder.name)
        stems = tuple(_stems(folder, listed))
        song_id = "-".join(p for p in folder.relative_to(root).parts if p not in SPLITS)
        yield Song(song_id, title, split, stems)


def _split(folder, root, meta, splits: Mapping[str, str]) -> str:
    named = [str(meta[k]) for k in ("source_midi", "title") if meta.get(k)]
    for name in (*named, folder.name):
        if name in splits:
            return splits[name]
    for part in folder.relative_to(root).parts[:-1]:
        if part in SPLITS:
            return part
    own = meta.get("split")
    return (
        own if own in (*SPLITS, "omit") else split_by_hash((named or [folder.name])[-1])
    )


def _stems(folder: pathlib.Path, listed: Mapping) -> Iterator[Stem]:
    for name, stem in sorted(listed.items()):
        paths = [folder / "stems" / f"{name}{suffix}" for suffix in SUFFIXES]
        for path in paths:
            if path.is_file():
                yield Stem(name, _category(stem), path)
                break


def _category(stem: Mapping) -> int:
    if stem.get("is_drum"):
        return category_of_program(0, is_drum=True)
    try:
        return category_of_program(int(stem["program_num"]))
    except (KeyError, TypeError, ValueError):
        return UNKNOWN

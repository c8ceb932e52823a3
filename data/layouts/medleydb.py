"""MedleyDB's layout: `Title/{Title_METADATA.yaml, Title_STEMS/Title_STEM_XX.wav}`.

The stems are read, not `Title_RAW` and `Title_MIX.wav`.  Songs whose stems bleed into
each other are left out: their contexts would contain the target.
"""

from pathlib import Path
from typing import Any

from stemjax.config.categories import UNKNOWN, category_of
from stemjax.data.layouts.song import (
    Song,
    SongFault,
    SongListing,
    StemFile,
    artist_key,
    folders_in,
    in_order,
    split_by_hash,
)
from stemjax.data.layouts.split_table import OMIT, SplitTable
from stemjax.data.layouts.yaml_file import read_yaml, text_of
from stemjax.io.errors import UserError

# MedleyDB's taxonomy (resources/taxonomy.yaml) by category, after General MIDI.  Other
# names are unknown: Main System, Unlabeled, sampler, synthesizer (but see
# `_BY_COMPONENT`) and additions of later versions.
INSTRUMENTS: dict[str, tuple[str, ...]] = {
    "piano": ("piano", "tack piano", "electric piano", "harpsichord"),
    "chromatic-percussion": (
        *("vibraphone", "marimba", "xylophone", "glockenspiel", "chimes"),
        "dulcimer",
    ),
    "organ": (
        *("electronic organ", "pipe organ", "accordion", "harmonica", "melodica"),
        *("concertina", "bandoneon", "harmonium"),
    ),
    "guitar": (
        *("acoustic guitar", "clean electric guitar", "distorted electric guitar"),
        *("lap steel guitar", "slide guitar", "mandolin", "ukulele"),
    ),
    "bass": ("electric bass", "double bass"),
    "strings": (
        *("violin", "viola", "cello", "violin section", "viola section"),
        *("cello section", "string section", "harp"),
    ),
    "brass": (
        *("trumpet", "cornet", "trombone", "french horn", "euphonium", "tuba"),
        *("brass section", "french horn section", "trombone section"),
        *("horn section", "trumpet section"),
    ),
    "reed": (
        *("alto saxophone", "baritone saxophone", "tenor saxophone"),
        *("soprano saxophone", "clarinet", "bass clarinet", "clarinet section"),
        *("oboe", "english horn", "bassoon"),
    ),
    "pipe": (
        *("flute", "flute section", "piccolo", "bamboo flute", "dizi", "panpipes"),
        *("recorder", "whistle"),
    ),
    "synth-lead": ("theremin",),
    "ethnic": (
        *("erhu", "guzheng", "yangqin", "zhongruan", "liuqin", "oud", "sitar"),
        *("dilruba", "banjo", "bagpipe"),
    ),
    "percussive": (
        *("auxiliary percussion", "timpani", "bass drum", "bongo", "conga"),
        *("tambourine", "darbuka", "doumbek", "tabla", "gu", "gong", "triangle"),
        *("sleigh bells", "cowbell", "cabasa", "guiro", "castanet", "claps"),
        *("rattle", "shaker", "maracas", "snaps"),
    ),
    "sound-effects": ("fx/processed sound", "scratches", "crowd"),
    "drums": (
        *("drum set", "drum machine", "kick drum", "snare drum", "toms"),
        *("high hat", "cymbal"),
    ),
    "voice": (
        *("male singer", "female singer", "vocalists", "choir", "male rapper"),
        *("female rapper", "male speaker", "female speaker", "male screamer"),
        *("female screamer", "beatboxing"),
    ),
}
_CATEGORY = {name: category_of(c) for c, names in INSTRUMENTS.items() for name in names}

# Category of a synthesizer by the component that the annotators marked.
_BY_COMPONENT = {"melody": category_of("synth-lead"), "bass": category_of("bass")}

# Stems that bleed although has_bleed says no (ERRATA.md of marl/medleydb, error 1).
KNOWN_BLEED = frozenset({"Lushlife_ToynbeeSuite", "TheScarletBrand_LesFleursDuMal"})

# The artist is the folder's name up to "_" (the metadata spell some in two ways), except
# that recordings of one ensemble (artist: NYU) are named after their composers.
_COMPOSERS_OF_NYU = {"debussy", "handel", "mozart", "schubert", "schumann", "wolf"}


def read_songs(root: Path, splits: SplitTable | None) -> SongListing:
    """Songs of MedleyDB: folders of `root`, or of its folders (V1, V2).

    - A song's metadata lie in its folder or in `root/Metadata`.
    - `instrument` may be a list.  A stem whose instruments have several categories, or
      one that is not in `INSTRUMENTS`, is of unknown category (context only).
    - Songs that bleed (`has_bleed: yes`, and `KNOWN_BLEED`) are left out.
    - The split is that of the song's row in `splits` (by "artist - title" or id), else a
      hash of its artist, so all songs of an artist, remixes included, share it.
    """
    songs, faults, omitted = [], [], 0
    for folder in _folders(root):
        name = folder.name
        try:
            meta = _read_metadata(folder, root)
            bleeds = _is_yes(meta.get("has_bleed")) or name in KNOWN_BLEED
            stems = () if bleeds else _stems(folder, meta)
        except UserError as error:
            faults.append(SongFault(name, str(error)))
            continue
        title = f"{meta.get('artist')} - {meta.get('title')}"
        split = splits.split_of(file=None, title=title, id=name) if splits else None
        if bleeds or split == OMIT:
            omitted += 1
            continue
        songs.append(Song(name, title, split or _split(name), "medleydb", stems))
    return SongListing(in_order(songs), tuple(faults), (), omitted)


def _folders(root: Path) -> list[Path]:
    """Song folders: those with stems or metadata of the folder's name."""

    def is_song(folder: Path) -> bool:
        start = folder / folder.name
        stems, metadata = f"{start}_STEMS", f"{start}_METADATA.yaml"
        return Path(stems).is_dir() or Path(metadata).is_file()

    inner = [song for folder in folders_in(root) for song in folders_in(folder)]
    return [folder for folder in (*folders_in(root), *inner) if is_song(folder)]


def _read_metadata(folder: Path, root: Path) -> dict[str, Any]:
    name = f"{folder.name}_METADATA.yaml"
    path = folder / name
    if not path.is_file() and (root / "Metadata" / name).is_file():
        path = root / "Metadata" / name
    mend = f"unpack the song again, or copy medleydb's Metadata into {root}"
    meta = read_yaml(path, mend=mend)
    entries = meta.get("stems")
    if not isinstance(entries, dict) or not all(
        isinstance(key, str)
        and isinstance(entry, dict)
        and isinstance(entry.get("filename"), str)
        for key, entry in entries.items()
    ):
        raise UserError(f"{path} is not MedleyDB's: `stems` must map SXX to files")
    for field in ("artist", "title"):
        meta[field] = text_of(meta, field, path)
    for key, entry in entries.items():
        names = entry.get("instrument")
        for name in names if isinstance(names, list) else [names]:
            if name is not None and not isinstance(name, str):
                raise UserError(
                    f"{path}: instrument of {key} must be a name or a list of names"
                )
    return meta


def _stems(folder: Path, meta: dict[str, Any]) -> tuple[StemFile, ...]:
    stems = []
    for key, entry in sorted(meta["stems"].items()):
        home = folder / f"{folder.name}_STEMS"
        path = home / entry["filename"]
        if path.parent != home:
            raise UserError(f"{folder.name}: {path} is outside of {home}")
        if not path.is_file():
            raise UserError(f"{path} is missing: unpack the song again")
        stems.append(StemFile(key, _category(entry), path))
    if not stems:
        raise UserError(f"{folder.name} lists no stems: unpack the song again")
    return tuple(stems)


def _category(entry: dict[str, Any]) -> int:
    names = entry.get("instrument")
    names = names if isinstance(names, list) else [names]
    component = entry.get("component")
    component = component if isinstance(component, str) else ""
    categories = {
        _BY_COMPONENT.get(component, UNKNOWN)
        if name == "synthesizer"
        else _CATEGORY.get(name, UNKNOWN)
        for name in names
    }
    return categories.pop() if len(categories) == 1 else UNKNOWN


def _is_yes(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "yes")


def _split(name: str) -> str:
    key = artist_key(name.partition("_")[0])
    return split_by_hash("nyu" if key in _COMPOSERS_OF_NYU else key)

"""MoisesDB's layout: `moisesdb_v0.1/<uuid>/{data.json, <stemName>/<track>.<ext>}`.

data.json lists tracks under stems: {song, artist, genre, stems: [{stemName, tracks:
[{id, trackType, extension, has_bleed}]}]}.  The tracks of a stem that share a category
are summed.
"""

from pathlib import Path
from typing import Any

from stemjax.config.categories import CATEGORIES, UNKNOWN, category_of
from stemjax.data.layouts.song import (
    Song,
    SongFault,
    SongListing,
    StemFile,
    artist_key,
    in_order,
    split_by_hash,
)
from stemjax.data.layouts.split_table import OMIT, SplitTable
from stemjax.data.layouts.yaml_file import text_of
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as

# Stems of one category (moisesdb/defaults.py of the package moises-db).
STEMS: dict[str, str] = {
    "vocals": "voice",
    "bass": "bass",
    "drums": "drums",
    "guitar": "guitar",
    "piano": "piano",
    "bowed_strings": "strings",
}

# Category of the other stems by the beginning of trackType, up to "(" or ",".  Others
# are unknown: other plucked instruments, other keys, other wind.
TRACK_TYPES: dict[str, str] = {
    "a-tonal percussion": "percussive",
    "pitched percussion": "chromatic-percussion",
    "organ": "organ",
    "synth pad": "synth-pad",
    "synth lead": "synth-lead",
    "brass": "brass",
    "flutes": "pipe",
    "reeds": "reed",
    "fx/processed sound": "sound-effects",
}
_CLICK = "click track"  # left out


def read_songs(root: Path, splits: SplitTable | None) -> SongListing:
    """Songs of MoisesDB: `root` is moisesdb_v0.1 or the folder that holds it.

    - The tracks of stems with the same stemName are joined, as moises-db does.
    - Tracks of one stem are cut to the shortest and summed, as moises-db does; they may
      differ in length and sample rate.
    - A track that bleeds is left out with a warning; the other tracks are clean.  A song
      without other tracks is left out.
    - The split is that of the song's row in `splits` (by "artist - song" or id), else a
      hash of its artist.
    """
    songs, faults, warnings, omitted = [], [], [], 0
    for path in sorted([*root.glob("*/data.json"), *root.glob("*/*/data.json")]):
        name = path.parent.name
        try:
            meta = _read_metadata(path)
            stems, bleeding = _stems(path.parent, meta)
        except UserError as error:
            faults.append(SongFault(name, str(error)))
            continue
        artist = meta["artist"] or ""
        title = f"{artist} - {meta['song'] or name}"
        split = splits.split_of(file=None, title=title, id=name) if splits else None
        if split == OMIT:
            omitted += 1
            continue
        if bleeding:
            warnings.append(SongFault(name, f"{bleeding} tracks bleed: left out"))
        if not stems:
            if bleeding:
                omitted += 1
            else:
                faults.append(SongFault(name, f"{path} lists no tracks"))
            continue
        split = split or split_by_hash(artist_key(artist) or name)
        songs.append(Song(name, title, split, "moisesdb", stems))
    return SongListing(in_order(songs), tuple(faults), tuple(warnings), omitted)


def _read_metadata(path: Path) -> dict[str, Any]:
    mend = "unpack the song again"
    meta = read_as(dict[str, Any], path, mend=mend)
    artist, song = (text_of(meta, field, path) for field in ("artist", "song"))
    try:
        for stem in meta["stems"]:
            _check_name(stem["stemName"])
            for track in stem["tracks"]:
                _check_name(track["id"])
                _check_name(track["extension"])
                str.strip(track["trackType"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not MoisesDB's ({error!r}): {mend}") from error
    return meta | {"artist": artist, "song": song}


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.strip(" .") or "/" in name:
        raise ValueError(f"{name!r} is no name of a file")


def _stems(folder: Path, meta: dict[str, Any]) -> tuple[tuple[StemFile, ...], int]:
    """Stems, and the number of tracks that were left out because they bleed."""
    files: dict[tuple[str, int], list[Path]] = {}
    bleeding = 0
    for stem in meta["stems"]:
        stem_name = stem["stemName"].strip().replace(" ", "_")
        for track in stem["tracks"]:
            kind = _beginning(track["trackType"])
            if kind == _CLICK:
                continue
            if track.get("has_bleed"):
                bleeding += 1
                continue
            path = folder / stem_name / f"{track['id']}.{track['extension']}"
            if not path.is_file():
                raise UserError(f"{path} is missing: unpack the song again")
            files.setdefault((stem_name, _category(stem_name, kind)), []).append(path)
    stems = []
    for (stem_name, category), paths in files.items():
        siblings = sum(name == stem_name for name, _ in files)
        kind = CATEGORIES[category] if category != UNKNOWN else "unknown"
        name = stem_name if siblings == 1 else f"{stem_name}_{kind}"
        stems.append(StemFile(name, category, paths[0], tuple(paths[1:])))
    return tuple(stems), bleeding


def _beginning(track_type: str) -> str:
    return track_type.partition("(")[0].partition(",")[0].strip().lower()


def _category(stem_name: str, kind: str) -> int:
    word = STEMS.get(stem_name) or TRACK_TYPES.get(kind)
    return category_of(word) if word else UNKNOWN

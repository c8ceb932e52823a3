"""manifest.json of a prepared folder: song, segment and stem of each record.

Host side, NumPy only.  SongLayout of the file (`format` 1)::

    {"format": 1, "kind": "prepared", "sample_rate": 32000, "record_seconds": 10,
     "segment_seconds": 60, "encoding": "int16" | "flac", "content_hash": hex,
     "plan": hex, "splits": {split: {"songs", "segments", "stems", "records",
     "seconds"}}, "shards": {split: [{"file", "records", "bytes", "sha256"}]},
     "rms_sha256": hex, "songs": [{"id", "title", "split", "source", "gain",
     "segments": [{"start", "seconds", "stems": [{"name", "category", "record"}]}]}]}

- Songs are in order of split (train, validation, test).
- `record` is the position of the stem's first record within its split, as
  `builder_from_directory(folder).as_data_source(split)` counts.  The records of a stem
  within a segment are consecutive, 10 s each, the last one zero-padded to 10 s.
- `start` and `seconds` are those of the segment within the song; segments are 60 s, the
  last one of a song may be shorter.
- `rms.npy` beside it: int16 [S, 600], tenths of dB per 0.1 s, rows in order of the
  manifest's stems; -1200 where silent and past the end.
"""

import dataclasses
import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.config.categories import CATEGORIES, UNKNOWN
from stemjax.config.numbers import (
    Bytes,
    CheckedNumbers,
    Count,
    NonNegative,
    real,
    whole,
)
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.segments import (
    RECORD_SECONDS,
    RMS_FRAMES,
    SAMPLE_RATE,
    SEGMENT_SECONDS,
)
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as, typed
from stemjax.io.npz import map_npy

FORMAT = 1
KIND = "prepared"
MANIFEST = "manifest.json"
RMS = "rms.npy"
ENCODINGS = ("int16", "flac")
AGAIN = "copy it or prepare again"
_FIXED = {
    "sample_rate": SAMPLE_RATE,
    "record_seconds": RECORD_SECONDS,
    "segment_seconds": SEGMENT_SECONDS,
}


@dataclasses.dataclass(frozen=True, eq=False)  # compared and hashed by identity
class IndexTable:
    """One split of a prepared folder: G segments, S stems, F frames of 0.1 s."""

    songs: tuple[str, ...]
    """Ids of the split's songs."""
    segment_song: np.ndarray
    """[G] int32, index into `songs`."""
    segment_samples: np.ndarray
    """[G] int64, length at 32 kHz."""
    stem_offset: np.ndarray
    """[G + 1] int32; segment g has the stems stem_offset[g]:stem_offset[g + 1]."""
    stem_category: np.ndarray
    """[S] int32, -1 unknown."""
    stem_record: np.ndarray
    """[S] int64, number of the first record for `PreparedFolder.read`.  The stem's
    ceil(segment_samples / 320000) records are consecutive; the last is zero-padded."""
    stem_rms_db: np.ndarray
    """[S, F] float32 dB re full scale; -120 where silent or past the end."""


@dataclasses.dataclass(frozen=True)
class StemEntry(CheckedNumbers):
    """A stem of a segment in the manifest."""

    name: str
    category: whole(UNKNOWN, len(CATEGORIES) - 1)
    record: Bytes


@dataclasses.dataclass(frozen=True)
class SegmentEntry(CheckedNumbers):
    """A segment of a song in the manifest."""

    start: NonNegative
    seconds: real(1 / SAMPLE_RATE, SEGMENT_SECONDS)
    stems: tuple[StemEntry, ...]


@dataclasses.dataclass(frozen=True)
class SongEntry:
    """A song in the manifest."""

    id: str
    title: str
    split: str
    source: str
    gain: float
    segments: tuple[SegmentEntry, ...]

    def __post_init__(self):
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}")


@dataclasses.dataclass(frozen=True)
class RecordShard(CheckedNumbers):
    """A shard of records in the manifest."""

    file: str
    records: Count
    bytes: Bytes
    sha256: str
    """Of the samples."""

    def __post_init__(self):
        super().__post_init__()
        check_file_name(self.file)


@dataclasses.dataclass(frozen=True)
class SplitCounts:
    """Totals of a split in the manifest."""

    songs: int
    segments: int
    stems: int
    records: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class PreparedManifest:
    """Fields of manifest.json, see above."""

    format: int
    kind: str
    sample_rate: int
    record_seconds: int
    segment_seconds: int
    encoding: str
    content_hash: str
    plan: str
    splits: dict[str, SplitCounts]
    shards: dict[str, tuple[RecordShard, ...]]
    rms_sha256: str
    songs: tuple[SongEntry, ...]

    def __post_init__(self):
        if self.encoding not in ENCODINGS:
            raise ValueError(f"encoding must be one of {', '.join(ENCODINGS)}")
        if set(self.splits) != set(SPLITS) or not set(self.shards) <= set(SPLITS):
            raise ValueError(f"splits and shards must be of {', '.join(SPLITS)}")
        totals = dict.fromkeys(SPLITS, 0)
        for split, shards in self.shards.items():
            totals[split] = sum(shard.records for shard in shards)
        for song in self.songs:
            for segment in song.segments:
                count = math.ceil(segment.seconds / RECORD_SECONDS - 1e-9)
                last = max((stem.record for stem in segment.stems), default=0) + count
                if last > totals[song.split]:
                    raise ValueError(f"song {song.id!r} has records past the shards")


def check_file_name(name: str) -> None:
    """Check that a name is that of a file directly in a folder, not hidden.

    Raises:
      ValueError: it is not.
    """
    if not re.fullmatch(r"[\w-][\w.-]*", name):
        raise ValueError(f"{name[:80]!r} is not the name of a file in the folder")


def load_manifest(path: Path, kind: str, version: int, *, make: str) -> dict[str, Any]:
    """Read the manifest at `path` and check its kind and format.

    Args:
      make: command that makes such a folder, for messages.

    Raises:
      UserError: no manifest, not JSON, another kind or format.
    """
    if not path.exists():
        raise UserError(
            f"{path.parent} holds no {path.name}: make the folder with `{make}`; if it is"
            " unfinished, the same command continues it"
        )
    mend = f"make the folder again with `{make}`"
    manifest = read_as(dict[str, Any], path, mend=mend)
    actual = manifest.get("kind")
    if actual != kind:
        raise UserError(f"{path} is of kind {actual!r}, not {kind!r}: give another DIR")
    if manifest.get("format") != version:
        raise UserError(
            f"{path} has format {manifest.get('format')!r}, this version reads"
            f" {version}: {mend}"
        )
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a prepared folder.

    Raises:
      UserError: no manifest, another kind or format, a missing, unknown or mistyped
        field, content that is not that of its hash, or a shard that is not whole.
    """
    path = folder / MANIFEST
    make = "stemjax prepare --input SONGS --out DIR"
    manifest = load_manifest(path, KIND, FORMAT, make=make)
    for name, value in _FIXED.items():
        if manifest.get(name) != value:
            raise UserError(f"{path}: {name} must be {value}, is {manifest.get(name)}")
    typed(PreparedManifest, manifest, path, mend=AGAIN)
    if content_hash(manifest) != manifest["content_hash"]:
        raise UserError(f"{path}: was changed since it was made; {AGAIN}")
    for shards in manifest["shards"].values():
        for shard in shards:
            file = folder / shard["file"]
            if not file.is_file():
                raise UserError(f"{file} is missing: {AGAIN}")
            if file.stat().st_size != shard["bytes"]:
                raise UserError(f"{file} is not whole: {AGAIN}")
    return manifest


def read_levels(folder: Path, manifest: dict[str, Any]) -> np.ndarray:
    """The table of levels of a prepared folder, int16 [S, 600], mapped from the disk.

    Raises:
      UserError: missing, of another shape, or not that of the manifest.
    """
    path = folder / RMS
    segments = [s for song in manifest["songs"] for s in song["segments"]]
    count = sum(len(segment["stems"]) for segment in segments)
    table = map_npy(path, "int16", (count, RMS_FRAMES), mend=AGAIN)
    if digest_of_levels(table) != manifest["rms_sha256"]:
        raise UserError(f"{path}: is damaged; {AGAIN}")
    return table


def digest_of_levels(table: np.ndarray) -> str:
    """SHA-256 of the values of a table of levels, as `rms_sha256` of a manifest."""
    return hashlib.sha256(np.ascontiguousarray(table, "<i2")).hexdigest()


def first_records(manifest: dict[str, Any]) -> dict[str, int]:
    """Number of each split's first record; splits follow each other in a fixed order."""
    first, table = 0, {}
    for split in SPLITS:
        table[split] = first
        first += sum(shard["records"] for shard in manifest["shards"].get(split, ()))
    return table


def index_table(manifest: dict[str, Any], rms: np.ndarray, split: str) -> IndexTable:
    """The index of one split; `rms` is the whole folder's table [S, 600] in dB / 10.

    Raises:
      UserError: an unknown split.
    """
    if split not in SPLITS:
        raise UserError(f"split {split!r} must be one of {', '.join(SPLITS)}")
    base = first_records(manifest)[split]
    songs, owners, samples, offsets = [], [], [], [0]
    categories, records, rows = [], [], []
    row = 0
    for song in manifest["songs"]:
        is_wanted = song["split"] == split
        for segment in song["segments"]:
            stems = segment["stems"]
            if is_wanted:
                owners.append(len(songs))
                samples.append(round(segment["seconds"] * SAMPLE_RATE))
                categories += [stem["category"] for stem in stems]
                records += [base + stem["record"] for stem in stems]
                rows += range(row, row + len(stems))
                offsets.append(len(rows))
            row += len(stems)
        if is_wanted:
            songs.append(song["id"])
    return IndexTable(
        songs=tuple(songs),
        segment_song=np.array(owners, np.int32),
        segment_samples=np.array(samples, np.int64),
        stem_offset=np.array(offsets, np.int32),
        stem_category=np.array(categories, np.int32),
        stem_record=np.array(records, np.int64),
        stem_rms_db=rms[np.array(rows, np.int64)].astype(np.float32) / 10,
    )


def content_hash(manifest: dict[str, Any]) -> str:
    """SHA-256 of the readable content: songs, categories, audio, levels.

    The hashes of audio and levels in the manifest represent their values, so file names
    (`plan`) and the bytes of the files do not matter.
    """
    content = {k: v for k, v in manifest.items() if k not in ("content_hash", "plan")}
    content["shards"] = {
        split: [(shard["records"], shard["sha256"]) for shard in shards]
        for split, shards in manifest["shards"].items()
    }
    return hashlib.sha256(to_json(content).encode()).hexdigest()


def to_json(value: Any) -> str:
    """Canonical JSON: the same value gives the same bytes."""
    return json.dumps(
        value,
        sort_keys=True,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )

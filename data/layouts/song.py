"""What a layout yields: songs and where their stems lie; no audio is touched."""

import dataclasses
import hashlib
import pathlib


@dataclasses.dataclass(frozen=True)
class Stem:
    name: str  # unique within its song
    category: int  # -1 unknown: may be context, never target
    path: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Song:
    id: str  # unique within the data set
    title: str
    split: str  # "train", "validation" or "test"
    stems: tuple[Stem, ...]


def split_by_hash(title: str) -> str:
    """Split for a song that nobody has assigned: 80 / 10 / 10 by the title's digest."""
    bucket = int(hashlib.sha256(title.encode()).hexdigest(), 16) % 10
    return {8: "validation", 9: "test"}.get(bucket, "train")

"""The manifest of a prepared folder, and the index table that draws are made from.

`manifest.json` (format 1): sample rate, record and segment length, encoding, content hash,
and per split its songs; a song holds its segments, a segment its stems (name, category,
first record).  `rms.npz` beside it holds, per split, the stems' RMS per 0.1 s in dB
[S, F], in the order of the manifest.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np

from data.errors import DataError

FORMAT = 1
SAMPLE_RATE = 32_000
RECORD_SECONDS = 10
SEGMENT_SECONDS = 60
RMS_SECONDS = 0.1
SILENCE_DB = -120.0  # of digital silence, and past a segment's end
SPLITS = ("train", "validation", "test")
MANIFEST = "manifest.json"
RMS_TABLE = "rms.npz"


@dataclasses.dataclass(frozen=True)
class IndexTable:
    """One split of a prepared folder. G segments, S stems of segments, F frames."""

    songs: tuple[str, ...]
    segment_song: np.ndarray  # [G] int32, index into songs
    segment_samples: np.ndarray  # [G] int64, at 32 kHz
    stem_offset: np.ndarray  # [G+1] int32: segment g has stems offset[g]:offset[g+1]
    stem_category: np.ndarray  # [S] int32, -1 unknown
    stem_record: np.ndarray  # [S] int64; a stem's records are consecutive
    stem_rms_db: (
        np.ndarray
    )  # [S, F] float32 per 0.1 s, -120 where silent or past the end


def rms_db(audio: np.ndarray, frames: int) -> np.ndarray:
    """RMS per 0.1 s of int16 audio [N] in dB re full scale, [frames] float32."""
    size = round(RMS_SECONDS * SAMPLE_RATE)
    power = np.zeros(frames)
    scaled = np.square(audio.astype(np.float64) / 32_768)
    whole = -(-len(audio) // size)
    sums = np.add.reduceat(scaled, np.arange(0, len(audio), size))
    power[:whole] = sums / size  # the last frame counts its missing samples as silence
    floor = 10 ** (SILENCE_DB / 10)
    return (10 * np.log10(np.maximum(power, floor))).astype(np.float32)


def read_manifest(folder: str | os.PathLike, kind: str) -> dict[str, Any]:
    """A folder's manifest, checked.

    Raises:
      DataError: missing, broken, of another kind or format.
    """
    path = pathlib.Path(folder) / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder}: no {MANIFEST}; give a folder that prepare wrote")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error}); prepare again") from None
    if manifest.get("format") != FORMAT:
        raise DataError(
            f"{path}: format {manifest.get('format')!r} is not {FORMAT}; prepare again"
            " with this version"
        )
    if manifest.get("kind") != kind:
        raise DataError(f"{path}: is of kind {manifest.get('kind')!r}, not {kind!r}")
    return manifest


def index_table(manifest: dict[str, Any], split: str, rms: np.ndarray) -> IndexTable:
    """The index of one split, from its manifest and RMS table [S, F]."""
    songs = [song for song in manifest["songs"] if song["split"] == split]
    segments = [(i, seg) for i, song in enumerate(songs) for seg in song["segments"]]
    stems = [stem for _, segment in segments for stem in segment["stems"]]
    counts = [len(segment["stems"]) for _, segment in segments]
    return IndexTable(
        songs=tuple(song["id"] for song in songs),
        segment_song=np.array([i for i, _ in segments], np.int32),
        segment_samples=np.array([s["samples"] for _, s in segments], np.int64),
        stem_offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        stem_category=np.array([s["category"] for s in stems], np.int32),
        stem_record=np.array([s["record"] for s in stems], np.int64),
        stem_rms_db=rms,
    )

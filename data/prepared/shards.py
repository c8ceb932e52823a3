"""Preparation in shards: the plan of all shards, and the writing of one.

A shard is the unit of work and of resuming.  The plan depends on the audio files' headers
and the options, not on the number of processes, so the bytes of the folder do not depend
on it either.  A finished shard is three files in `.work`: the records, the levels
(`.npy`) and, written last, `.json`, which holds the hash of its plan.
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.data.layouts.song import SPLITS, Song, SongFault, SongListing, readable
from stemjax.data.prepared.manifest import SongEntry, to_json
from stemjax.data.prepared.records import Encoding, ShardWriter
from stemjax.data.prepared.segments import (
    RMS_FRAMES,
    SAMPLE_RATE,
    SEGMENT_SECONDS,
    read_song,
    records_in,
    records_of,
    rms_tenths,
    samples_at_32k,
    segment_lengths,
)
from stemjax.io.atomic import replacing, write_text
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as, typed

WORK = ".work"
_VERSION = 1  # format of a shard; shards of another version are written again
_SHARDS_WANTED = 64  # of a data set, for even work in many processes ...
_RECORDS_LEAST = 64  # ... of 40 MB or more each
SHARD_BYTES = 256_000_000
"""Largest shard, unless a single song is larger."""
# int16: noise at full scale, which does not compress; FLAC: loud, dense music.
RECORD_BYTES = {Encoding.INT16: 642_000, Encoding.FLAC: 360_000}


@dataclasses.dataclass(frozen=True)
class MeasuredSong:
    """A song and its size by the headers of its files, if these are credible."""

    song: Song
    records: int
    seconds: float
    """Total length of all stems."""
    files: tuple[tuple[str, int], ...]
    """(name, bytes) of its stems."""


@dataclasses.dataclass(frozen=True)
class ShardReport:
    """Content of the `.json` of a finished shard, see `make_shard`."""

    plan: str
    records: int
    sha256: str
    bytes: int
    songs: tuple[SongEntry, ...]
    faults: tuple[tuple[str, str], ...]
    warnings: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Shard:
    """Songs that are written into one file."""

    split: str
    number: int
    """Index within the split."""
    songs: tuple[MeasuredSong, ...]
    encoding: Encoding

    @property
    def name(self) -> str:
        """Name of its files in `.work`, without suffix."""
        return f"{self.split}-{self.number:05d}"

    @property
    def records(self) -> int:
        """Number of records by the headers."""
        return sum(song.records for song in self.songs)

    @property
    def seconds(self) -> float:
        """Total length of all stems."""
        return sum(song.seconds for song in self.songs)

    @property
    def plan(self) -> str:
        """Hash of its songs, their files and the encoding."""
        songs = []
        for measured in self.songs:
            song = measured.song
            stems = [[stem.name, stem.category] for stem in song.stems]
            songs.append(
                [song.id, song.title, song.split, song.source, stems, measured.files]
            )
        text = to_json([_VERSION, self.name, self.encoding.value, songs])
        return hashlib.sha256(text.encode()).hexdigest()


def measure(listing: SongListing) -> tuple[list[MeasuredSong], list[SongFault]]:
    """Read the headers of all stems; a song with an unreadable one is a fault."""
    measured, faults = [], []
    for song in listing.songs:
        try:
            measured.append(_measure_song(song))
        except UserError as error:
            faults.append(SongFault(song.id, str(error)))
    return measured, faults


def _measure_song(song: Song) -> MeasuredSong:
    from stemjax.io.audio_files.stream import count_frames, read_header

    longest, files = 0, []
    for stem in song.stems:
        lengths = []
        for path in stem.files:
            header = read_header(path)
            frames = header.frames or count_frames(path)
            lengths.append(samples_at_32k(frames, header.rate))
            files.append((readable(path.name), path.stat().st_size))
        longest = max(longest, min(lengths))
    lengths = segment_lengths(longest)
    return MeasuredSong(
        song=song,
        records=sum(map(records_in, lengths)) * len(song.stems),
        seconds=sum(lengths) / SAMPLE_RATE * len(song.stems),
        files=tuple(files),
    )


def plan_shards(
    songs: list[MeasuredSong], encoding: Encoding, shard_records: int = 0
) -> list[Shard]:
    """Songs in order, cut into shards of about `shard_records` (0: chosen by size).

    A shard holds whole songs and at most `SHARD_BYTES`, so that it is copied quickly over
    a network; a larger song gets a shard to itself.
    """
    if not shard_records:
        wanted = sum(song.records for song in songs) // _SHARDS_WANTED
        shard_records = max(wanted, _RECORDS_LEAST)
    most = SHARD_BYTES // RECORD_BYTES[encoding]
    shards = []
    for split in SPLITS:
        groups: list[list[MeasuredSong]] = []
        filled = shard_records
        for measured in (m for m in songs if m.song.split == split):
            if filled >= shard_records or filled + measured.records > most:
                groups.append([])
                filled = 0
            groups[-1].append(measured)
            filled += measured.records
        shards += [
            Shard(split, number, tuple(group), encoding)
            for number, group in enumerate(groups)
        ]
    return shards


def finished(shard: Shard, work: Path) -> dict[str, Any] | None:
    """The report of a shard that is finished in `work`; None if it is not."""
    try:
        path = work / f"{shard.name}.json"
        report = read_as(dict[str, Any], path, mend="it is made again")
        typed(ShardReport, report, path, mend="it is made again")
    except UserError:
        return None
    return report if report["plan"] == shard.plan else None


def make_shard(shard: Shard, work: Path) -> dict[str, Any]:
    """Write one shard into `work`; unusable songs are listed in its report.

    Returns:
      The report, also written as `.json`: `records`, `sha256`, `songs` as in the manifest
      but with `record` counted from the shard's start, `faults`, `warnings`.
    """
    records_path = work / f"{shard.name}.array_record"
    writer = ShardWriter(records_path, shard.encoding)
    songs, levels, faults, warnings = [], [], [], []
    for song in (measured.song for measured in shard.songs):
        try:
            audio = read_song(song)
        except UserError as error:
            faults.append([song.id, readable(str(error))])
            continue
        warnings += [[song.id, readable(text)] for text in audio.warnings]
        songs.append(
            {
                "id": song.id,
                "title": song.title,
                "split": song.split,
                "source": song.source,
                "gain": round(audio.gain, 6),
                "segments": _write_segments(song, audio.stems, writer, levels),
            }
        )
    writer.close()
    table = np.stack(levels) if levels else np.zeros((0, RMS_FRAMES), np.int16)
    with replacing(work / f"{shard.name}.npy") as part:
        np.save(part, table, allow_pickle=False)
    report = {
        "plan": shard.plan,
        "records": writer.records,
        "sha256": writer.sha256,
        "bytes": records_path.stat().st_size,
        "songs": songs,
        "faults": faults,
        "warnings": warnings,
    }
    write_text(work / f"{shard.name}.json", to_json(report))
    return report


def _write_segments(
    song: Song, stems: np.ndarray, writer: ShardWriter, levels: list[np.ndarray]
) -> list[dict[str, Any]]:
    """Write records and levels of int16 [S, N]; returns the manifest's segments."""
    segments = []
    for number, length in enumerate(segment_lengths(stems.shape[1])):
        start = number * SEGMENT_SECONDS * SAMPLE_RATE
        rows = []
        for stem, audio in zip(song.stems, stems, strict=True):
            part = audio[start : start + length]
            rows.append(
                {
                    "name": stem.name,
                    "category": stem.category,
                    "record": writer.records,
                }
            )
            levels.append(rms_tenths(part))
            for record in records_of(part):
                writer.write(record)
        segments.append(
            {
                "start": start / SAMPLE_RATE,
                "seconds": length / SAMPLE_RATE,
                "stems": rows,
            }
        )
    return segments

"""Preparation in shards: what goes into which, and the making of one.

A shard is the unit of work and of resuming.  The plan depends on the songs' headers
and on the options alone, never on the number of processes, so the folder is the same
bytes however it was made.  A finished shard is three files in `.work`: the records, the
levels (`.npy`) and, written last, `.json`; the latter names the plan it belongs to.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.data.layouts.song import SPLITS, Fault, Listing, Song
from stemjax.data.prepared.manifest import to_json
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

WORK = ".work"
_VERSION = 1  # of what `make_shard` writes; a change makes old shards be redone
_SHARDS_WANTED = 64  # of a data set, for even work in many processes ...
_RECORDS_LEAST = 64  # ... of 40 MB or more each
SHARD_BYTES = 256_000_000  # at most, unless a single song is larger
# int16: noise at full scale, which nothing packs; FLAC: loud, dense music.
RECORD_BYTES = {Encoding.INT16: 642_000, Encoding.FLAC: 360_000}


@dataclasses.dataclass(frozen=True)
class Sized:
    """A song with what its headers promise."""

    song: Song
    records: int
    seconds: float  # of all stems together
    files: tuple[tuple[str, int], ...]  # (name, bytes) of its stems


@dataclasses.dataclass(frozen=True)
class Shard:
    """Songs that are written into one file."""

    split: str
    number: int  # within the split
    songs: tuple[Sized, ...]
    encoding: Encoding

    @property
    def name(self) -> str:
        """Of the files in `.work`, without suffix."""
        return f"{self.split}-{self.number:05d}"

    @property
    def records(self) -> int:
        """How many records the headers promise."""
        return sum(sized.records for sized in self.songs)

    @property
    def seconds(self) -> float:
        """Audio of all stems of all songs."""
        return sum(sized.seconds for sized in self.songs)

    @property
    def plan(self) -> str:
        """Names what the shard is made from and how."""
        songs = []
        for sized in self.songs:
            song = sized.song
            stems = [[stem.name, stem.category] for stem in song.stems]
            songs.append(
                [song.id, song.title, song.split, song.source, stems, sized.files]
            )
        text = to_json([_VERSION, self.name, self.encoding.value, songs])
        return hashlib.sha256(text.encode()).hexdigest()


def measure(listing: Listing) -> tuple[list[Sized], list[Fault]]:
    """Read the headers of all stems; a song with an unreadable one is a fault."""
    sized, faults = [], []
    for song in listing.songs:
        try:
            sized.append(_measure_song(song))
        except UserError as error:
            faults.append(Fault(song.id, str(error)))
    return sized, faults


def _measure_song(song: Song) -> Sized:
    import soundfile

    longest, files = 0, []
    for stem in song.stems:
        lengths = []
        for path in stem.files:
            try:
                info = soundfile.info(path)
                files.append((path.name, path.stat().st_size))
            except (soundfile.LibsndfileError, OSError) as error:
                raise UserError(
                    f"cannot read {path} ({error}): convert it again"
                ) from error
            lengths.append(samples_at_32k(info.frames, info.samplerate))
        longest = max(longest, min(lengths))
    lengths = segment_lengths(longest)
    return Sized(
        song=song,
        records=sum(map(records_in, lengths)) * len(song.stems),
        seconds=sum(lengths) / SAMPLE_RATE * len(song.stems),
        files=tuple(files),
    )


def plan_shards(
    sized: list[Sized], encoding: Encoding, shard_records: int = 0
) -> list[Shard]:
    """Songs in order, cut into shards of about `shard_records` (0: chosen by size).

    A shard holds whole songs and at most `SHARD_BYTES`, so that copying one over a
    network is short; a song larger than that is a shard of its own.
    """
    if not shard_records:
        wanted = sum(one.records for one in sized) // _SHARDS_WANTED
        shard_records = max(wanted, _RECORDS_LEAST)
    most = SHARD_BYTES // RECORD_BYTES[encoding]
    shards = []
    for split in SPLITS:
        groups: list[list[Sized]] = []
        filled = shard_records
        for one in (one for one in sized if one.song.split == split):
            if filled >= shard_records or filled + one.records > most:
                groups.append([])
                filled = 0
            groups[-1].append(one)
            filled += one.records
        shards += [
            Shard(split, number, tuple(group), encoding)
            for number, group in enumerate(groups)
        ]
    return shards


def finished(shard: Shard, work: Path) -> dict[str, Any] | None:
    """What `make_shard` said about a shard, when it is already in `work`."""
    try:
        report = json.loads((work / f"{shard.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if report["plan"] == shard.plan else None


def make_shard(shard: Shard, work: Path) -> dict[str, Any]:
    """Write one shard into `work`; songs that cannot be used are reported in it.

    Returns:
      The content of its `.json`: `records`, `sha256`, `songs` as in the manifest but
      with `record` counted from the shard's start, `faults`, `warnings`.
    """
    records_path = work / f"{shard.name}.array_record"
    writer = ShardWriter(records_path, shard.encoding)
    songs, levels, faults, warnings = [], [], [], []
    for sized in shard.songs:
        song = sized.song
        try:
            audio = read_song(song)
        except UserError as error:
            faults.append([song.id, str(error)])
            continue
        warnings += [[song.id, text] for text in audio.warnings]
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
    """Records and levels of int16 [S, N]; returns the manifest's segments."""
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

"""Songs in any layout -> records of 10 s and a manifest: `python -m data.prepare --help`.

Every song is one shard, written by one of N processes; a finished shard is the resume
point.  The result does not depend on the number of processes or on interruptions.
"""

import csv
import dataclasses
import enum
import json
import multiprocessing
import os
import pathlib
import shutil
import sys

import numpy as np

from data.errors import DataError
from data.layouts import slakh
from data.layouts.song import Song
from data.manifest import (
    FORMAT,
    MANIFEST,
    RECORD_SECONDS,
    RMS_SECONDS,
    RMS_TABLE,
    SAMPLE_RATE,
    SEGMENT_SECONDS,
    SPLITS,
    rms_db,
)
from data.records import (
    RECORD_SAMPLES,
    RecordWriter,
    content_hash,
    shard_name,
    write_tfds_info,
)

SEGMENT_SAMPLES = SEGMENT_SECONDS * SAMPLE_RATE
SEGMENT_FRAMES = round(SEGMENT_SECONDS / RMS_SECONDS)
SHARDS = "shards"
TOLERATED_SECONDS = 1.0  # stems of a song may differ by this much without a warning
MIN_SECONDS = 1.0
SONGS_PER_MINUTE = 20  # one process, a 4-minute song of 8 stems (measured)


class Layout(enum.Enum):
    SLAKH = "slakh"


LAYOUTS = {Layout.SLAKH: slakh.songs}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Cut songs into the records that training reads."""

    layout: Layout
    input: str
    """Folder of songs."""
    out: str
    """Folder to write; the same command goes on where it stopped."""
    splits: str = ""
    """CSV with the columns file, title, split (and others)."""
    workers: int = 2
    strict: bool = False
    """A song that cannot be read ends the command with exit 2."""


@dataclasses.dataclass(frozen=True)
class Job:
    song: Song
    folder: str


def read_song(song: Song) -> tuple[list[np.ndarray], list[str]]:
    """All stems of a song at 32 kHz mono, int16, zero-padded to the longest."""
    import soundfile
    import soxr

    stems, warnings = [], []
    for stem in song.stems:
        audio, rate = soundfile.read(stem.path, dtype="float32", always_2d=True)
        mono = np.ascontiguousarray(audio.mean(axis=1))
        if not np.isfinite(mono).all():
            raise DataError(f"{stem.path}: holds NaN or Inf samples; export it again")
        if rate != SAMPLE_RATE:
            mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
        scaled = np.clip(np.round(mono * 32_768), -32_768, 32_767)
        stems.append(scaled.astype(np.int16))
    longest = max(map(len, stems))
    if longest - min(map(len, stems)) > TOLERATED_SECONDS * SAMPLE_RATE:
        seconds = (longest - min(map(len, stems))) / SAMPLE_RATE
        warnings.append(f"stems differ by {seconds:.1f} s; the shorter end in silence")
    return [np.pad(stem, (0, longest - len(stem))) for stem in stems], warnings


def prepare_song(job: Job) -> dict:
    """Write one song's shard and its JSON; returns {"error": ...} if it cannot be read."""
    song, base = job.song, pathlib.Path(job.folder) / SHARDS / job.song.id
    done = base.with_suffix(".json")
    if done.is_file():
        return json.loads(done.read_text(encoding="utf-8"))
    try:
        stems, warnings = read_song(song)
    except Exception as error:  # noqa: BLE001  (any decoder's error names the song)
        return {"id": song.id, "error": " ".join(str(error).split())[:200]}
    if len(stems[0]) < MIN_SECONDS * SAMPLE_RATE:
        return {"id": song.id, "error": f"shorter than {MIN_SECONDS:g} s"}
    part = base.with_suffix(".part")
    writer, segments, rms = RecordWriter(part), [], []
    for start in range(0, len(stems[0]), SEGMENT_SAMPLES):
        samples = min(SEGMENT_SAMPLES, len(stems[0]) - start)
        if samples < MIN_SECONDS * SAMPLE_RATE:
            break  # a tail too short to draw from
        rows = []
        for stem, audio in zip(song.stems, stems, strict=True):
            piece = audio[start : start + samples]
            rows.append(
                {"name": stem.name, "category": stem.category, "record": writer.count}
            )
            for first in range(0, samples, RECORD_SAMPLES):
                writer.write(piece[first : first + RECORD_SAMPLES])
            rms.append(rms_db(piece, SEGMENT_FRAMES))
        segments.append(
            {"start": start / SAMPLE_RATE, "samples": samples, "stems": rows}
        )
    writer.close()
    np.save(base.with_suffix(".npy"), np.stack(rms))
    os.replace(part, base.with_suffix(".records"))
    report = {
        "id": song.id,
        "title": song.title,
        "split": song.split,
        "segments": segments,
        "records": writer.count,
        "num_bytes": writer.num_bytes,
        "warnings": warnings,
    }
    temporary = base.with_suffix(".json.part")
    temporary.write_text(json.dumps(report), encoding="utf-8")
    os.replace(temporary, done)
    return report


def assemble(folder: pathlib.Path, reports: list[dict]) -> dict:
    """Shards in their final places, tfds metadata, RMS tables, and last the manifest."""
    by_split = {s: [r for r in reports if r["split"] == s] for s in SPLITS}
    rms, songs, lengths = {}, [], {}
    for split, rows in by_split.items():
        offset, tables = 0, [np.zeros((0, SEGMENT_FRAMES), np.float32)]
        for number, row in enumerate(rows):
            base = folder / SHARDS / row["id"]
            target = folder / shard_name(split, number, len(rows))
            if base.with_suffix(".records").exists():
                os.replace(base.with_suffix(".records"), target)
            tables.append(np.load(base.with_suffix(".npy")))
            segments = [
                {
                    **segment,
                    "stems": [
                        {**stem, "record": stem["record"] + offset}
                        for stem in segment["stems"]
                    ],
                }
                for segment in row["segments"]
            ]
            songs.append(
                {
                    "id": row["id"],
                    "title": row["title"],
                    "split": split,
                    "segments": segments,
                }
            )
            offset += row["records"]
        rms[split] = np.concatenate(tables)
        lengths[split] = [(r["records"], r["num_bytes"]) for r in rows]
    write_tfds_info(folder, lengths)
    with open(folder / f".{RMS_TABLE}.part", "wb") as file:
        np.savez_compressed(file, **rms)
    os.replace(folder / f".{RMS_TABLE}.part", folder / RMS_TABLE)
    manifest = {
        "format": FORMAT,
        "kind": "prepared",
        "sample_rate": SAMPLE_RATE,
        "record_seconds": RECORD_SECONDS,
        "segment_seconds": SEGMENT_SECONDS,
        "encoding": "int16",
        "content_hash": content_hash(songs, rms),
        "splits": {
            split: {"songs": len(rows), "records": sum(r["records"] for r in rows)}
            for split, rows in by_split.items()
        },
        "songs": songs,
    }
    temporary = folder / f".{MANIFEST}.part"
    temporary.write_text(json.dumps(manifest), encoding="utf-8")
    os.replace(temporary, folder / MANIFEST)
    shutil.rmtree(folder / SHARDS)
    return manifest


def read_splits(path: str) -> dict[str, str]:
    """CSV rows as {file: split, title: split}; the file is the surer name."""
    if not path:
        return {}
    if not pathlib.Path(path).is_file():
        raise DataError(f"{path}: no such file; give a CSV with file, title, split")
    table: dict[str, str] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            split = row.get("split")
            if split not in (*SPLITS, "omit"):
                raise DataError(
                    f"{path}: split {split!r} is not one of {', '.join(SPLITS)}, omit"
                )
            for key in ("title", "file"):
                if row.get(key):
                    table[row[key]] = split
    return table


def estimate(songs: list[Song]) -> int:
    """Bytes that the records will need."""
    import soundfile

    total = 0
    for song in songs:
        for stem in song.stems:
            try:
                total += round(soundfile.info(stem.path).duration * SAMPLE_RATE) * 2
            except soundfile.LibsndfileError:
                continue  # reported when the song is read
    return total


def prepare(arguments: Arguments) -> dict:
    """Run the whole preparation; returns the manifest.

    Raises:
      DataError: no song, no room on the disk, or with `strict` a song that fails.
    """
    from tqdm import tqdm

    root, folder = pathlib.Path(arguments.input), pathlib.Path(arguments.out)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give a folder of songs")
    if (folder / MANIFEST).is_file():
        print(f"{folder}: already prepared")
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    table = read_splits(arguments.splits)
    songs = [s for s in LAYOUTS[arguments.layout](root, table) if s.stems]
    if not songs:
        raise DataError(
            f"{root}: no song in the layout {arguments.layout.value!r}; check --input"
        )
    needed = estimate(songs)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    minutes = len(songs) / SONGS_PER_MINUTE / arguments.workers
    print(
        f"{len(songs)} songs: needs {needed / 1e9:.2f} GB of {free / 1e9:.1f} GB free,"
        f" about {minutes:.0f} min with {arguments.workers} processes"
    )
    if needed > free:
        raise DataError(
            f"{folder}: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free;"
            " free some or choose another --out"
        )
    (folder / SHARDS).mkdir(exist_ok=True)
    jobs = [Job(song, str(folder)) for song in songs]
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.workers) as pool:
        work = pool.imap(prepare_song, jobs)
        reports = list(tqdm(work, total=len(jobs), desc="prepare", unit="song"))
    for report in reports:
        for warning in report.get("warnings", ()):
            print(f"warning: {report['id']}: {warning}")
    faults = [r for r in reports if "error" in r]
    for fault in faults:
        print(f"skipped: {fault['id']}: {fault['error']}", file=sys.stderr)
    if faults and (arguments.strict or len(faults) == len(reports)):
        raise DataError(
            f"{root}: {len(faults)} of {len(reports)} songs cannot be read, the first"
            f" {faults[0]['id']}: {faults[0]['error']}"
        )
    return assemble(folder, [r for r in reports if "error" not in r])


def main() -> None:
    import tyro

    arguments = tyro.cli(Arguments, config=(tyro.conf.EnumChoicesFromValues,))
    try:
        manifest = prepare(arguments)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{arguments.out}: {json.dumps(manifest['splits'])}")


if __name__ == "__main__":
    main()

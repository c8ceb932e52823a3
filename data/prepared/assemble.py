"""Last step of preparation: finished shards become one folder.

manifest.json is written last; a folder without it is not a prepared folder.  The next run
undoes an interrupted assembly and repeats it.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import (
    FORMAT,
    KIND,
    MANIFEST,
    RMS,
    content_hash,
    digest_of_levels,
    to_json,
)
from stemjax.data.prepared.records import DATASET, Encoding
from stemjax.data.prepared.segments import (
    RECORD_SECONDS,
    RMS_FRAMES,
    SAMPLE_RATE,
    SEGMENT_SECONDS,
)
from stemjax.data.prepared.shards import WORK, Shard
from stemjax.io.atomic import write_text
from stemjax.io.json_file import read_as
from stemjax.io.npz import map_npy

REPORT = "report.json"
_MOVES = "moves.json"  # in .work: file name there -> final name
_VERSION = "1.0.0"


def plan_of(shards: Sequence[Shard]) -> str:
    """Hash of a whole preparation."""
    return hashlib.sha256(
        to_json([shard.plan for shard in shards]).encode()
    ).hexdigest()


def assemble(
    out: Path, shards: Sequence[Shard], reports: Sequence[dict[str, Any]]
) -> None:
    """Move the shards into place and write the metadata."""
    work = out / WORK
    songs: list[dict[str, Any]] = []
    files: dict[str, list[dict[str, Any]]] = {}
    levels: list[np.ndarray] = []
    moves: dict[str, str] = {}
    for split in SPLITS:
        # A shard without usable songs has no records and gets no file.
        kept = [
            (shard, report)
            for shard, report in zip(shards, reports, strict=True)
            if shard.split == split and report["records"]
        ]
        first = 0
        for number, (shard, report) in enumerate(kept):
            name = f"{DATASET}-{split}.array_record-{number:05d}-of-{len(kept):05d}"
            moves[f"{shard.name}.array_record"] = name
            files.setdefault(split, []).append(
                {
                    "file": name,
                    "records": report["records"],
                    "bytes": report["bytes"],
                    "sha256": report["sha256"],
                }
            )
            songs += [_moved(song, first) for song in report["songs"]]
            levels.append(
                map_npy(
                    work / f"{shard.name}.npy",
                    "int16",
                    (None, RMS_FRAMES),
                    mend=f"delete {work} and prepare again",
                )
            )
            first += report["records"]
    write_text(work / _MOVES, to_json(moves))
    for made, name in moves.items():
        os.replace(work / made, out / name)
    table = np.concatenate(levels)
    with (out / RMS).open("wb") as file:
        np.save(file, table, allow_pickle=False)
    encoding = shards[0].encoding
    write_tfds_info(out, encoding, files)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "kind": KIND,
        "sample_rate": SAMPLE_RATE,
        "record_seconds": RECORD_SECONDS,
        "segment_seconds": SEGMENT_SECONDS,
        "encoding": encoding.value,
        "plan": plan_of(shards),
        "splits": {split: _counts(split, songs, files) for split in SPLITS},
        "shards": files,
        "rms_sha256": digest_of_levels(table),
        "songs": songs,
    }
    manifest["content_hash"] = content_hash(manifest)
    remarks = {
        name: [pair for report in reports for pair in report[name]]
        for name in ("faults", "warnings")
    }
    write_text(out / REPORT, to_json(remarks))
    write_text(out / MANIFEST, to_json(manifest))
    shutil.rmtree(work)


def undo(out: Path) -> None:
    """Move the shards back into `.work` after an interrupted `assemble`.

    Otherwise a preparation that continues with other songs would leave files behind.
    """
    work = out / WORK
    if not (work / _MOVES).exists():
        return
    mend = f"delete {work} and prepare again"
    moves = read_as(dict[str, str], work / _MOVES, mend=mend)
    for made, name in moves.items():
        if (out / name).exists():
            os.replace(out / name, work / made)
    (work / _MOVES).unlink()


def read_report(out: Path) -> dict[str, list[list[str]]]:
    """`faults` and `warnings` of the songs' audio: lists of [song, reason]."""
    kind = dict[str, tuple[tuple[str, str], ...]]
    remarks = read_as(kind, out / REPORT, mend="prepare again")
    return {name: list(map(list, pairs)) for name, pairs in remarks.items()}


def write_tfds_info(
    folder: Path, encoding: Encoding, files: dict[str, list[dict[str, Any]]]
) -> None:
    """Write dataset_info.json and features.json for `tfds.builder_from_directory`.

    Shuffling is disabled: element k of a split is its record k.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import dataset_info, naming, splits

    dtype = np.int16 if encoding is Encoding.INT16 else np.uint8
    tensor = tfds.features.Tensor(shape=(None,), dtype=dtype, encoding="bytes")
    identity = dataset_info.DatasetIdentity(
        name=DATASET,
        version=tfds.core.Version(_VERSION),
        data_dir=os.fspath(folder),
        module_name="data.prepare",
    )
    info = tfds.core.DatasetInfo(
        builder=identity,
        features=tfds.features.FeaturesDict({encoding.feature: tensor}),
        description="Stems of songs, 32 kHz mono, 10 s a record; see manifest.json.",
        disable_shuffling=True,
    )
    info.set_file_format("array_record")
    infos = []
    for split, shards in files.items():
        template = naming.ShardedFileTemplate(
            dataset_name=DATASET,
            data_dir=folder,
            split=split,
            filetype_suffix="array_record",
        )
        infos.append(
            splits.SplitInfo(
                name=split,
                shard_lengths=[shard["records"] for shard in shards],
                num_bytes=sum(shard["bytes"] for shard in shards),
                filename_template=template,
            )
        )
    info.set_splits(splits.SplitDict(infos))
    info.write_to_directory(os.fspath(folder))


def _moved(song: dict[str, Any], first: int) -> dict[str, Any]:
    """A shard's song with records counted from the split's start."""
    segments = [
        segment
        | {
            "stems": [
                stem | {"record": first + stem["record"]} for stem in segment["stems"]
            ]
        }
        for segment in song["segments"]
    ]
    return song | {"segments": segments}


def _counts(
    split: str,
    songs: list[dict[str, Any]],
    files: dict[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    in_split = [song for song in songs if song["split"] == split]
    segments = [segment for song in in_split for segment in song["segments"]]
    return {
        "songs": len(in_split),
        "segments": len(segments),
        "stems": sum(len(segment["stems"]) for segment in segments),
        "records": sum(shard["records"] for shard in files.get(split, ())),
        "seconds": round(sum(segment["seconds"] for segment in segments), 3),
    }

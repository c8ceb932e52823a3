"""Records on disk: one stem x 10 s of int16 in array_record, read without TensorFlow.

A folder opens with `tfds.builder_from_directory(folder).as_data_source(split)`; record
numbers are positions in a split (shuffling is disabled).
"""

import hashlib
import json
import os
import pathlib
import threading

import numpy as np

from data.errors import DataError
from data.manifest import (
    MANIFEST,
    RECORD_SECONDS,
    RMS_TABLE,
    SAMPLE_RATE,
    SPLITS,
    IndexTable,
    index_table,
    read_manifest,
)

DATASET = "stems"
RECORD_SAMPLES = RECORD_SECONDS * SAMPLE_RATE


def features(is_flac: bool = False):
    """The tfds features of a record: {"audio": int16 [N]} or {"flac": bytes}."""
    import tensorflow_datasets as tfds

    if is_flac:
        return tfds.features.FeaturesDict({"flac": tfds.features.Text()})
    audio = tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes")
    return tfds.features.FeaturesDict({"audio": audio})


class RecordWriter:
    """Appends records to one array_record file; the file counts only once closed."""

    def __init__(self, path: str | os.PathLike):
        from array_record.python.array_record_module import ArrayRecordWriter
        from tensorflow_datasets.core.example_serializer import ExampleSerializer

        self._features = features()
        info = self._features.get_serialized_info()
        self._serializer = ExampleSerializer(info)
        self._file = ArrayRecordWriter(str(path), "group_size:1,uncompressed")
        self.count, self.num_bytes = 0, 0

    def write(self, audio: np.ndarray) -> None:
        """Append int16 [N], N <= 320,000."""
        example = self._features.encode_example({"audio": audio})
        packed = self._serializer.serialize_example(example)
        self._file.write(packed)
        self.count += 1
        self.num_bytes += len(packed)

    def close(self) -> None:
        self._file.close()


def shard_name(split: str, number: int, total: int) -> str:
    """The file name that tfds expects."""
    return f"{DATASET}-{split}.array_record-{number:05d}-of-{total:05d}"


def write_tfds_info(folder: pathlib.Path, shards: dict[str, list[tuple[int, int]]]):
    """Write dataset_info.json and features.json; shards: split -> (records, bytes)."""
    from tensorflow_datasets import core
    from tensorflow_datasets.core import naming, splits

    identity = core.dataset_info.DatasetIdentity(
        name=DATASET,
        version=core.utils.Version("1.0.0"),
        data_dir=str(folder),
        module_name="stemjax",
    )
    info = core.DatasetInfo(
        builder=identity, features=features(), disable_shuffling=True
    )
    infos = [
        splits.SplitInfo(
            name=split,
            shard_lengths=[count for count, _ in lengths],
            num_bytes=sum(size for _, size in lengths),
            filename_template=naming.ShardedFileTemplate(
                dataset_name=DATASET,
                split=split,
                filetype_suffix="array_record",
                data_dir=str(folder),
            ),
        )
        for split, lengths in shards.items()
        if lengths
    ]
    info.set_splits(splits.SplitDict(infos))
    info.set_file_format("array_record")
    info.write_to_directory(str(folder))


class Prepared:
    """A prepared folder. Files are opened at the first read, one set per thread."""

    is_tokens = False

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        self.manifest = read_manifest(self.folder, "prepared")
        self._local = threading.local()
        path = self.folder / RMS_TABLE
        if not path.is_file():
            raise DataError(f"{path}: missing; prepare again")
        with np.load(path) as tables:
            self._rms = {name: tables[name] for name in tables.files}

    @property
    def content_hash(self) -> str:
        """Hex digest of all that a draw can depend on."""
        return self.manifest["content_hash"]

    def index(self, split: str) -> IndexTable:
        """The index of one split; empty where the folder has none of it."""
        if split not in SPLITS:
            raise DataError(f"{self.folder}: no split {split!r}: {', '.join(SPLITS)}")
        return index_table(self.manifest, split, self._rms[split])

    def read(self, split: str, numbers: np.ndarray) -> np.ndarray:
        """Records of a split by number, [n, 320000] int16; short ones end in zeros."""
        source = self._source(split)
        out = np.zeros((len(numbers), RECORD_SAMPLES), np.int16)
        records = source.__getitems__([int(n) for n in numbers])
        for row, record in zip(out, records, strict=True):
            audio = record["audio"]
            row[: len(audio)] = audio
        return out

    def _source(self, split: str):
        sources = self._local.__dict__.setdefault("sources", {})
        if split not in sources:
            import tensorflow_datasets as tfds

            builder = tfds.builder_from_directory(str(self.folder))
            sources[split] = builder.as_data_source(split)
        return sources[split]


def open_prepared(folder: str | os.PathLike) -> Prepared:
    """Open a folder that `python -m data.prepare` wrote."""
    return Prepared(folder)


def content_hash(songs: list[dict], rms: dict[str, np.ndarray]) -> str:
    """Digest of the manifest's songs and the RMS tables."""
    digest = hashlib.sha256(json.dumps(songs, sort_keys=True).encode())
    for split in SPLITS:
        digest.update(rms[split].tobytes())
    return digest.hexdigest()


__all__ = ["MANIFEST", "Prepared", "RecordWriter", "open_prepared"]

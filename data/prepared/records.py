"""Records on disk: one stem x 10 s each, in array_record shards that TFDS opens too.

A record is a `tf.train.Example` with one bytes feature, as TFDS writes it for
`Tensor((None,), int16, encoding="bytes")`.  This module packs and parses it, so that
training needs array_record, but neither TFDS nor TensorFlow.
"""

import contextlib
import enum
import hashlib
import io
import os
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import (
    IndexTable,
    first_records,
    index_table,
    read_levels,
    read_manifest,
)
from stemjax.data.prepared.segments import RECORD_SAMPLES, SAMPLE_RATE
from stemjax.io.errors import UserError

DATASET = "stems"
"""Name of the TFDS data set."""


class Encoding(enum.Enum):
    """Encoding of a record's audio."""

    INT16 = "int16"
    """Little-endian samples, feature `audio`."""
    FLAC = "flac"
    """A FLAC file, feature `flac`: smaller, slower to read."""

    @property
    def feature(self) -> str:
        """Name of the feature."""
        return "audio" if self is Encoding.INT16 else "flac"

    @property
    def writer_options(self) -> str:
        """Options of ArrayRecordWriter; zstd:1 costs no time and compresses silence."""
        packing = "zstd:1" if self is Encoding.INT16 else "uncompressed"
        return f"group_size:1,{packing}"


class ShardWriter:
    """Writes one shard; the file gets its name when it is closed without error."""

    def __init__(self, path: Path, encoding: Encoding):
        from array_record.python import array_record_module

        self.records = 0
        self._path, self._encoding = path, encoding
        # two writers of one shard, such as a killed command's, never share a file
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._hash = hashlib.sha256()
        self._writer = array_record_module.ArrayRecordWriter(
            os.fsencode(self._part), encoding.writer_options
        )

    def write(self, audio: np.ndarray) -> None:
        """Append one record, int16 [320000].

        Raises:
          UserError: this or an earlier record could not be written.
        """
        samples = np.ascontiguousarray(audio, "<i2").tobytes()
        payload = samples if self._encoding is Encoding.INT16 else _to_flac(audio)
        with self._named_errors():
            self._writer.write(to_example(self._encoding.feature, payload))
        self._hash.update(samples)
        self.records += 1

    @property
    def sha256(self) -> str:
        """Hash of the samples, independent of the encoding."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Finish the shard.

        Raises:
          UserError: it could not be written, for example on a full disk.
        """
        with self._named_errors():
            self._writer.close()
        os.replace(self._part, self._path)

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise UserError(
                f"cannot write {self._path} ({error}): check the disk's space and start"
                " again; finished shards are kept"
            ) from error


def sha256_of_records(path: Path, encoding: Encoding) -> str:
    """`ShardWriter.sha256` of a finished shard.

    Raises:
      ValueError: it is damaged.
    """
    from array_record.python import array_record_module

    digest = hashlib.sha256()
    try:
        reader = array_record_module.ArrayRecordReader(os.fsencode(path))
        for number in range(reader.num_records()):
            (record,) = reader.read([number])
            payload = payload_of(record)
            is_int16 = encoding is Encoding.INT16
            digest.update(payload if is_int16 else _from_flac(payload).tobytes())
        reader.close()
    except (RuntimeError, IndexError) as error:
        raise ValueError(f"cannot read {path}: {error}") from error
    return digest.hexdigest()


class PreparedFolder:
    """A prepared folder, open for reading from any thread.

    Files are opened on first use.  A pickled copy opens them again.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifest: dict[str, Any] = read_manifest(folder)
        self.encoding = Encoding(self.manifest["encoding"])
        shards = [
            shard
            for split in SPLITS
            for shard in self.manifest["shards"].get(split, ())
        ]
        self._paths = [os.fspath(folder / shard["file"]) for shard in shards]
        self._starts = np.cumsum([0] + [shard["records"] for shard in shards])
        self._readers: list[Any] = [None] * len(shards)
        self._tables: dict[str, IndexTable] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        return (open_prepared, (self.folder,))

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def content_hash(self) -> str:
        """Hash of the content: songs and samples."""
        return self.manifest["content_hash"]

    def first_record(self, split: str) -> int:
        """Number of a split's first record, from which its positions are counted."""
        return first_records(self.manifest)[split]

    def index(self, split: str) -> IndexTable:
        """The index of a split; it may have no songs."""
        if split not in self._tables:
            self._tables[split] = index_table(self.manifest, self._rms, split)
        return self._tables[split]

    def read(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Records by number, as in `IndexTable.stem_record`: int16 [n, 320000].

        Raises:
          UserError: a number out of range, or a record that cannot be read.
        """
        numbers = np.asarray(numbers, np.int64)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise UserError(f"{self.folder} has {len(self)} records, got {numbers}")
        out = np.empty((len(numbers), RECORD_SAMPLES), np.int16)
        shards = np.searchsorted(self._starts, numbers, side="right") - 1
        for row, (shard, number) in enumerate(zip(shards, numbers, strict=True)):
            position = int(number - self._starts[shard])
            try:
                # One at a time: for a list the reader starts threads, which is slower.
                (record,) = self._reader(shard).read([position])
                out[row] = self._samples(payload_of(record))
            except (ValueError, RuntimeError, IndexError) as error:
                raise UserError(f"cannot read {self._paths[shard]}: {error}") from error
        return out

    def _samples(self, payload: memoryview) -> np.ndarray:
        """The samples of a record, int16 [320000].

        Raises:
          ValueError: another number of samples, or bytes that are no audio.
        """
        is_int16 = self.encoding is Encoding.INT16
        samples = np.frombuffer(payload, "<i2") if is_int16 else _from_flac(payload)
        if samples.shape != (RECORD_SAMPLES,):
            raise ValueError(f"a record of {samples.shape} samples, not a whole one")
        return samples

    def _reader(self, shard: int) -> Any:
        with self._lock:
            if self._readers[shard] is None:
                from array_record.python import array_record_module

                # No read-ahead: access is random; the buffer holds a whole record.
                self._readers[shard] = array_record_module.ArrayRecordReader(
                    os.fsencode(self._paths[shard]),
                    options="readahead_buffer_size:0,max_parallelism:0",
                    file_reader_buffer_size=1 << 20,
                )
            return self._readers[shard]

    @cached_property
    def _rms(self) -> np.ndarray:
        return read_levels(self.folder, self.manifest)


def open_prepared(folder: str | os.PathLike) -> PreparedFolder:
    """Open a folder that `python -m data.prepare` wrote.

    Raises:
      UserError: not a prepared folder, another format, or a missing shard.
    """
    return PreparedFolder(Path(folder))


def to_example(feature: str, payload: bytes) -> bytes:
    """A serialized `tf.train.Example` with one bytes feature."""
    value = _field(1, _field(1, payload))  # Feature.bytes_list.value
    entry = _field(1, feature.encode()) + _field(2, value)  # Features.feature[...]
    return _field(1, _field(1, entry))  # Example.features


def payload_of(example: bytes) -> memoryview:
    """The bytes of a one-feature `tf.train.Example`, without a copy."""
    view = memoryview(example)
    # Example, Features, then a map entry: its key, then its value's two wrappers.
    for _ in range(2):
        _, view, _ = _first_field(view)
    _, _, view = _first_field(view)  # past the key
    for _ in range(3):
        _, view, _ = _first_field(view)
    return view


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    size, length = bytearray(), len(content)
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2]) + bytes(size) + content


def _first_field(view: memoryview) -> tuple[int, memoryview, memoryview]:
    """(number, content, remainder) of the length-delimited field at the start."""
    length, shift, place = 0, 0, 1
    while True:
        byte = view[place]
        length |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            break
    return view[0] >> 3, view[place : place + length], view[place + length :]


def _to_flac(audio: np.ndarray) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, audio, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _from_flac(payload: memoryview) -> np.ndarray:
    import soundfile

    # no more than a record, whatever the header claims
    audio, _ = soundfile.read(io.BytesIO(payload), RECORD_SAMPLES + 1, dtype="int16")
    return audio

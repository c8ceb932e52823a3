"""Format 2 of a token store: the files of the folder, and the last step of writing.

A folder::

    manifest.json        written last: without it the store is not finished
    codes-00000.bin ...  uint16 little-endian [e, Q, T], C order, whole entries
    index.npz            arrays below, uncompressed

    {"format": 2, "kind": "tokens", "content_hash": hex,
     "codec": {"name", "sha256", "config_sha256"}, "sample_rate": 32000, "hop": 640,
     "frame_rate": 50.0, "num_codebooks": Q, "codebook_size": V, "entries": E,
     "frames": T, "shard_entries": n, "is_padded": true,
     "splits": {split: {"songs": [id, ...], "segments"}},
     "files": {name: {"bytes", "sha256"}},
     "source": {"content_hash"}, "draws_per_segment": K, "seed", "pairs": {...}}

- An entry holds the tokens of one signal (a submix of a segment) in T frames of `hop`
  samples at `sample_rate`; T is that of the longest segment.  Entry i is row i % n of
  shard i // n.  Every shard but the last holds n entries, at most 256 MB.
- `codec.sha256` is the hash of the weights of the stemjax codec that made the codes,
  `codec.config_sha256` that of its config; they are "" for another codec, which
  `codec.name` names.  Stores are compatible if these hashes (or else the name), rate,
  hop, Q and V are equal.  A store without `config_sha256` is of an earlier version.
- A stored pair is (context entry, target entry, instrument) of one segment.
- Past a segment's end the codes are those of silence if `is_padded`, so that a crop may
  reach past the end; otherwise they are zero and never drawn.
- `index.npz`: segments of train, validation, test follow each other.  Per segment
  `segment_song` int32 (within its split), `segment_frames` int32; `draw_offset` int32
  [G + 1]; per pair `draw_context`, `draw_target` (entries), `draw_instrument`, int32.
- `entry_rms`, optional: int16 [E, F] tenths of dB re full scale per 0.1 s, -1200 where
  silent and past the end.  Without it every frame counts as audible.
- Stores filled from a prepared folder (`data.tokens.writer`) have `source` and the keys
  after it, and in the index the submix of each entry: `segment_row` per segment, in its
  split's index table; `entry_segment`, `entry_gain`; `stem_offset` [E + 1] and `stem`,
  the stems of an entry as rows of that table.  Both parts of a pair share a gain: 1, or
  the one that brings the louder peak of the segment within int16 (A18).
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.config.numbers import (
    Amount,
    Bytes,
    CheckedNumbers,
    Count,
    Frames,
    Levels,
    SampleRate,
    Width,
)
from stemjax.config.releases import CodecReference
from stemjax.config.train import PairConfig
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import MANIFEST, to_json
from stemjax.io.atomic import replacing, write_bytes
from stemjax.io.errors import UserError
from stemjax.io.weights import sha256_of

FORMAT = 2
KIND = "tokens"
INDEX = "index.npz"
SHARD_BYTES = 256_000_000
"""Largest shard."""
CODE_BYTES = 2
"""Bytes of one code, a uint16."""
LEVELS_PER_SECOND = 10


@dataclasses.dataclass(frozen=True)
class StoreCodec:
    """The codec of a store's tokens.

    Raises:
      UserError: no name, or invalid numbers.
    """

    name: str
    sha256: str
    """Hash of its weights; "" for a codec that is not one of stemjax."""
    hop: int
    """Samples per frame."""
    num_codebooks: int
    """Q."""
    codebook_size: int
    """V."""
    sample_rate: int = 32_000
    """Hz."""
    config_sha256: str = ""
    """Hash of its config; "" if it is not known."""

    def __post_init__(self):
        if not self.name:
            raise UserError("a codec without a name: name it, e.g. dac-44khz")
        for field in ("hop", "num_codebooks", "codebook_size", "sample_rate"):
            if getattr(self, field) < 1:
                raise UserError(f"codec {self.name!r}: {field} must be 1 or more")
        if self.codebook_size > 2**16:
            raise UserError(f"codes must fit 16 bits, not {self.codebook_size}")

    @property
    def settings(self) -> dict[str, Any]:
        """Its keys of a manifest."""
        return {
            "format": FORMAT,
            "kind": KIND,
            "codec": {
                "name": self.name,
                "sha256": self.sha256,
                "config_sha256": self.config_sha256,
            },
            "sample_rate": self.sample_rate,
            "hop": self.hop,
            "frame_rate": self.sample_rate / self.hop,
            "num_codebooks": self.num_codebooks,
            "codebook_size": self.codebook_size,
        }

    def entry_bytes(self, frames: int) -> int:
        """Size on disk of the codes of one entry."""
        return CODE_BYTES * self.num_codebooks * frames

    def checked(self, codes: Any) -> np.ndarray:
        """Codes [..., Q, T] as uint16.

        Raises:
          ValueError: codes that are not integers or out of range.
        """
        codes = np.asarray(codes)
        if codes.dtype.kind not in "iu" or codes.shape[-2] != self.num_codebooks:
            raise ValueError(
                f"codes are {codes.dtype} {codes.shape}, not integers"
                f" [{self.num_codebooks}, T]"
            )
        if codes.size and not 0 <= codes.min() <= codes.max() < self.codebook_size:
            raise ValueError(
                f"codes lie in {codes.min()}..{codes.max()}, outside of the"
                f" {self.codebook_size} of codec {self.name!r}"
            )
        return codes.astype("<u2")


@dataclasses.dataclass(frozen=True)
class FileFacts(CheckedNumbers):
    """A file of a store in its manifest."""

    bytes: Bytes
    sha256: str


@dataclasses.dataclass(frozen=True)
class TokenSplit(CheckedNumbers):
    """A split of a store in its manifest."""

    songs: tuple[str, ...]
    segments: Amount


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenManifest(CheckedNumbers):
    """Fields of manifest.json, see above."""

    format: int
    kind: str
    content_hash: str
    codec: CodecReference
    sample_rate: SampleRate
    hop: Width
    frame_rate: float
    num_codebooks: Levels
    codebook_size: Width
    entries: Count
    frames: Frames
    shard_entries: Count
    is_padded: bool
    splits: dict[str, TokenSplit]
    files: dict[str, FileFacts]
    source: dict[str, str] | None = None
    draws_per_segment: int | None = None
    seed: int | None = None
    pairs: PairConfig | None = None

    def __post_init__(self):
        super().__post_init__()
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"splits must be {', '.join(SPLITS)}")
        count = -(-self.entries // self.shard_entries)
        if len(self.files) != count + 1:
            raise ValueError(f"files are {len(self.files)}, not {count + 1}")
        wanted = {*map(shard_name, range(count)), INDEX}
        if missing := sorted(wanted - set(self.files)):
            raise ValueError(f"files must name {missing[0]}")


def codec_of(manifest: Mapping[str, Any]) -> StoreCodec:
    """The codec of a manifest."""
    return StoreCodec(
        **manifest["codec"],
        sample_rate=manifest["sample_rate"],
        hop=manifest["hop"],
        num_codebooks=manifest["num_codebooks"],
        codebook_size=manifest["codebook_size"],
    )


def shard_name(number: int) -> str:
    """File name of a shard of codes."""
    return f"codes-{number:05d}.bin"


def entries_per_shard(entry_bytes: int) -> int:
    """n, the number of whole entries in `SHARD_BYTES`, at least 1."""
    return max(1, SHARD_BYTES // entry_bytes)


def level_frames(frames: int, codec: StoreCodec) -> int:
    """F, the number of frames of 0.1 s that cover `frames` frames of codes."""
    return -(-frames * codec.hop * LEVELS_PER_SECOND // codec.sample_rate)


def file_facts(path: Path) -> dict[str, Any]:
    """A file's entry in a manifest."""
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def seal(
    folder: Path,
    settings: Mapping[str, Any],
    *,
    splits: Mapping[str, Mapping[str, Any]],
    shape: Sequence[int],
    shards: Sequence[Mapping[str, Any]],
    arrays: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Write the index; returns the manifest, which the caller writes last.

    Args:
      settings: `StoreCodec.settings`, `is_padded`, and further keys on the origin.
      shape: (entries, frames, shard_entries).
      shards: `file_facts` of each shard, in order.
    """
    with replacing(folder / INDEX) as part:
        np.savez(part, **arrays)
    files = {shard_name(number): dict(facts) for number, facts in enumerate(shards)}
    entries, frames, shard_entries = shape
    content = {
        **settings,
        "splits": splits,
        "entries": entries,
        "frames": frames,
        "shard_entries": shard_entries,
    }
    return {
        **content,
        "content_hash": content_hash(content, shards, arrays),
        "files": files | {INDEX: file_facts(folder / INDEX)},
    }


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the last file of a store."""
    write_bytes(folder / MANIFEST, to_json(manifest).encode())


def hash_of(manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """`content_hash` of a finished store, from its manifest and the arrays of its index."""
    settings = {k: v for k, v in manifest.items() if k not in ("content_hash", "files")}
    count = len(manifest["files"]) - 1
    shards = [manifest["files"][shard_name(number)] for number in range(count)]
    return content_hash(settings, shards, arrays)


def content_hash(
    settings: Mapping[str, Any],
    shards: Sequence[Mapping[str, Any]],
    arrays: Mapping[str, np.ndarray],
) -> str:
    """SHA-256 of the readable content, not of the bytes of the zip file."""
    codes = [shard["sha256"] for shard in shards]
    digest = hashlib.sha256(to_json([settings, codes]).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

"""Format 2 of a token store: what is in the folder, and its last step of writing.

A folder::

    manifest.json        written last: without it the store is not finished
    codes-00000.bin ...  uint16 little-endian [e, Q, T], C order, whole entries
    index.npz            arrays below, uncompressed

    {"format": 2, "kind": "tokens", "content_hash": hex, "codec": {"name", "sha256"},
     "sample_rate": 32000, "hop": 640, "frame_rate": 50.0, "num_codebooks": Q,
     "codebook_size": V, "entries": E, "frames": T, "shard_entries": n,
     "is_padded": true, "splits": {split: {"songs": [id, ...], "segments"}},
     "files": {name: {"bytes", "sha256"}},
     "source": {"content_hash"}, "draws_per_segment": K, "seed", "pairs": {...}}

- An entry is the tokens of one signal (a submix of a segment), in T frames of `hop`
  samples at `sample_rate`; T is that of the longest segment.  Entry i is row i % n of
  shard i // n.  Every shard but the last holds n entries, at most 256 MB.
- `codec.sha256` is that of the weights of the codec of stemjax that made the codes; ""
  says that another codec made them, which `codec.name` names.  Stores mix and a run goes
  on with a store when sha256 (or else the name), rate, hop, Q and V are equal.
- A stored pair is (context entry, target entry, instrument) of one segment.
- Past a segment's own frames, `is_padded` says that the codes are those of silence, so
  that a crop may reach past the end; else they are zero and never drawn.
- `index.npz`: segments of train, validation, test follow each other.  Per segment
  `segment_song` int32 (within its split), `segment_frames` int32; `draw_offset` int32
  [G + 1]; per pair `draw_context`, `draw_target` (entries), `draw_instrument`, int32.
- `entry_rms`, which may be missing: int16 [E, F] tenths of dB re full scale per 0.1 s,
  -1200 where silent and past the end.  Without it every frame counts as sounding.
- Stores filled from a prepared folder (`data.tokens.writer`) have `source` and the keys
  after it, and in the index the recipe of each entry: `segment_row` per segment, in its
  split's index table; `entry_segment`, `entry_gain`; `stem_offset` [E + 1] and `stem`,
  the stems of an entry as rows of that table.  There both parts of a pair have the same
  gain: 1, or what brings the louder peak of the segment within int16 (A18).
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.data.prepared.manifest import MANIFEST, to_json
from stemjax.io.atomic import replacing, write_bytes
from stemjax.io.errors import UserError
from stemjax.io.weights import sha256_of

FORMAT = 2
KIND = "tokens"
INDEX = "index.npz"
SHARD_BYTES = 256_000_000  # at most
CODE_BYTES = 2  # uint16
LEVELS_PER_SECOND = 10


@dataclasses.dataclass(frozen=True)
class StoreCodec:
    """The codec whose tokens a store holds.

    sha256: of its weights; "" for a codec that is not one of stemjax.
    hop: samples per frame.  num_codebooks: Q.  codebook_size: V.

    Raises:
      UserError: no name, or numbers that no codec has.
    """

    name: str
    sha256: str
    hop: int
    num_codebooks: int
    codebook_size: int
    sample_rate: int = 32_000

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
        """Its part of a manifest."""
        return {
            "format": FORMAT,
            "kind": KIND,
            "codec": {"name": self.name, "sha256": self.sha256},
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
        """Codes [..., Q, T] as they are stored.

        Raises:
          ValueError: codes that are no integers, or that the codebooks do not have.
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
    """File of a shard of codes."""
    return f"codes-{number:05d}.bin"


def entries_per_shard(entry_bytes: int) -> int:
    """n, as many whole entries as `SHARD_BYTES` hold."""
    return max(1, SHARD_BYTES // entry_bytes)


def level_frames(frames: int, codec: StoreCodec) -> int:
    """F, frames of 0.1 s that cover `frames` frames of codes."""
    return -(-frames * codec.hop * LEVELS_PER_SECOND // codec.sample_rate)


def file_facts(path: Path) -> dict[str, Any]:
    """What a manifest says of a file."""
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

    settings: `StoreCodec.settings`, `is_padded`, and what else says how it was made.
    shape: (entries, frames, shard_entries).  shards: `file_facts`, in order.
    """
    with replacing(folder / INDEX) as part:
        np.savez(part, **arrays)
    files = {shard_name(number): dict(facts) for number, facts in enumerate(shards)}
    entries, frames, shard_entries = shape
    seen = {
        **settings,
        "splits": splits,
        "entries": entries,
        "frames": frames,
        "shard_entries": shard_entries,
    }
    return {
        **seen,
        "content_hash": content_hash(seen, shards, arrays),
        "files": files | {INDEX: file_facts(folder / INDEX)},
    }


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """The last file of a store."""
    write_bytes(folder / MANIFEST, to_json(manifest).encode())


def content_hash(
    settings: Mapping[str, Any],
    shards: Sequence[Mapping[str, Any]],
    arrays: Mapping[str, np.ndarray],
) -> str:
    """Over all that a reader sees; not over the bytes of the zip file."""
    codes = [shard["sha256"] for shard in shards]
    seen = hashlib.sha256(to_json([settings, codes]).encode())
    for name, array in sorted(arrays.items()):
        seen.update(f"{name} {array.dtype.str} {array.shape}".encode())
        seen.update(np.ascontiguousarray(array).tobytes())
    return seen.hexdigest()

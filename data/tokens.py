"""Token stores: codes of whole segments' submixes, and pairs drawn from them.

Encoding once and training from codes is many times faster than encoding 20 s crops in
every step (StemGen, sec. 3).  `data.token_writer` fills a store.  Format 1, a folder::

    manifest.json   written last: without it the store is not finished
    codes.bin       uint16 little-endian [E, Q, T], C order
    index.npz       arrays below, uncompressed

    {"format": 1, "kind": "tokens", "content_hash": hex, "codec": {"name", "sha256"},
     "hop": 640, "frame_rate": 50.0, "num_codebooks": Q, "codebook_size": V,
     "entries": E, "frames": T, "source": {"content_hash"}, "draws_per_segment": K,
     "seed", "pairs": {...}, "splits": {split: {"songs": [id, ...], "segments"}},
     "files": {name: {"bytes", "sha256"}}}

- An entry is one submix of one whole segment: the sum of some of its stems with a gain,
  int16, zero-padded to T * hop samples, the length of the longest segment.  Its codes
  are those of the codec for that audio, bit for bit.  Entries are unique.
- A stored pair is (context entry, target entry, instrument) of one segment; both have
  the same gain: 1, or what brings the louder peak of the segment within int16 (A18).
- `index.npz`: segments of train, validation, test follow each other.  Per segment
  `segment_row` in its split's index table, `segment_song` (within its split),
  `segment_samples`; `draw_offset` [G + 1]; per pair
  `draw_context`, `draw_target` (entries), `draw_instrument`; per entry `entry_segment`,
  `entry_gain`, `entry_rms` int16 [E, 600] tenths of dB per 0.1 s; `stem_offset` [E + 1]
  and `stem`, the stems of an entry as rows of its split's index table.
"""

import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data.batches import Batch, endless
from data.draw import nothing_to_draw
from data.errors import DataError
from data.examples import PairKind, evaluation_batches, training_row
from data.layouts.song import SPLITS
from data.manifest import MANIFEST, load_manifest
from data.mixture import Mixture, Pool
from data.token_draw import (
    TokenDraw,
    TokenTable,
    crop_frames,
    token_draw,
    token_draw_in,
    usable_segments,
)
from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig

FORMAT = 1
KIND = "tokens"
CODES = "codes.bin"
INDEX = "index.npz"


class TokenStore:
    """A finished store, open for reading from any thread.

    codec: name and sha256 of the codec whose codes these are.
    codes: [E, Q, T] uint16, mapped from the file.
    index_arrays: the arrays of `index.npz`.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifest = read_manifest(folder)
        self.codec: dict[str, str] = self.manifest["codec"]
        self.hop: int = self.manifest["hop"]
        self.num_codebooks: int = self.manifest["num_codebooks"]
        self.codebook_size: int = self.manifest["codebook_size"]
        self.frame_rate: float = self.manifest["frame_rate"]
        self.frames: int = self.manifest["frames"]
        shape = (self.manifest["entries"], self.num_codebooks, self.frames)
        self.codes = np.memmap(folder / CODES, "<u2", mode="r", shape=shape)
        with np.load(folder / INDEX, allow_pickle=False) as arrays:
            self.index_arrays = {name: arrays[name] for name in arrays.files}
        self._tables: dict[str, TokenTable] = {}

    @property
    def content_hash(self) -> str:
        """Names the content: equal hashes, equal pairs and codes."""
        return self.manifest["content_hash"]

    def index(self, split: str) -> TokenTable:
        """The index of a split; entries are numbered over the whole store."""
        if split not in self._tables:
            self._tables[split] = self._table(split)
        return self._tables[split]

    def _table(self, split: str) -> TokenTable:
        if split not in SPLITS:
            raise DataError(f"split {split!r} must be one of {', '.join(SPLITS)}")
        splits, arrays = self.manifest["splits"], self.index_arrays
        first = sum(splits[s]["segments"] for s in SPLITS[: SPLITS.index(split)])
        own = slice(first, first + splits[split]["segments"])
        offsets = arrays["draw_offset"][own.start : own.stop + 1]
        draws = slice(offsets[0], offsets[-1])
        return TokenTable(
            songs=tuple(splits[split]["songs"]),
            segment_song=arrays["segment_song"][own],
            segment_frames=-(-arrays["segment_samples"][own] // self.hop),
            draw_offset=offsets - offsets[0],
            draw_context=arrays["draw_context"][draws],
            draw_target=arrays["draw_target"][draws],
            draw_instrument=arrays["draw_instrument"][draws],
            entry_rms=arrays["entry_rms"],
            hop=self.hop,
        )

    def verify(self) -> None:
        """Read everything and compare checksums.

        Raises:
          DataError: a file that is not what was written.
        """
        for name, file in self.manifest["files"].items():
            if sha256_of(self.folder / name) != file["sha256"]:
                raise DataError(
                    f"{self.folder / name} is damaged: copy it or fill the store again"
                )


def open_tokens(folder: str | os.PathLike) -> TokenStore:
    """Open what `train.py tokens` wrote; sizes are checked, `verify` checks all.

    Raises:
      DataError: not a finished store, of another format, or not whole.
    """
    return TokenStore(Path(folder))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a store."""
    manifest = load_manifest(
        folder / MANIFEST, KIND, FORMAT, make="python train.py tokens"
    )
    for name, file in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise DataError(f"{path} is missing: copy it or fill the store again")
        if path.stat().st_size != file["bytes"]:
            raise DataError(f"{path} is not whole: copy it or fill the store again")
    if sha256_of(folder / INDEX) != manifest["files"][INDEX]["sha256"]:
        raise DataError(f"{folder / INDEX} is damaged: fill the store again")
    return manifest


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def token_batches(
    data: TokenStore | Mixture,
    pairs: PairConfig,
    *,
    split: str,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    loader: Loader = Loader.NUMPY,
) -> Iterator[Batch]:
    """Endless pairs: context_codes, target_codes [B, Q, T] uint16; instrument [B].

    Raises:
      DataError: the split has nothing to draw, a crop is longer than the stored
        segments, or the stores of a mixture were made with different codecs.
      ValueError: the batch does not divide over the processes.
    """
    return endless(
        training_row(token_pool(data, pairs, split, seed), token_pairs(pairs)),
        batch_size=batch_size,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
        loader=loader,
    )


def token_eval_batches(
    data: TokenStore | Mixture,
    pairs: PairConfig,
    *,
    split: str,
    count: int,
    batch_size: int,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """The first `count` pairs of (split, seed), the last batch zero-padded.

    Adds other_context_codes, song, row, is_valid; see `data.pairs.eval_batches`.
    """
    return evaluation_batches(
        token_pool(data, pairs, split, seed),
        token_pairs(pairs),
        count=count,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
    )


def token_pool(
    data: TokenStore | Mixture, pairs: PairConfig, split: str, seed: int
) -> Pool:
    """What can be drawn of a split of token stores."""
    stores = data.sources if isinstance(data, Mixture) else (data,)
    for store in stores:
        if store.codec["sha256"] != stores[0].codec["sha256"]:
            raise DataError(
                f"{store.folder} and {stores[0].folder} hold tokens of different"
                " codecs: fill both with one codec"
            )
        if crop_frames(pairs, store.hop) > store.frames:
            raise DataError(
                f"{store.folder} holds segments of {store.frames / store.frame_rate:g}"
                f" s: lower the crop's {pairs.crop_seconds:g} s"
            )
    segments = functools.partial(usable_segments, pairs=pairs)
    return Pool(data, split, seed, segments, nothing_to_draw(pairs))


def token_pairs(pairs: PairConfig) -> PairKind:
    """Pairs drawn from stored mixes."""
    return PairKind(
        draw=functools.partial(token_draw, pairs=pairs),
        draw_in=functools.partial(token_draw_in, pairs=pairs),
        read=read_pair,
        suffix="_codes",
    )


def read_pair(
    store: TokenStore, table: TokenTable, made: TokenDraw
) -> tuple[np.ndarray, np.ndarray]:
    """Codes of context and target, [Q, T] uint16 each."""
    crop = slice(made.start, made.start + made.frames)
    return (
        np.array(store.codes[made.context, :, crop]),
        np.array(store.codes[made.target, :, crop]),
    )

"""Token stores: pairs drawn from codes that were encoded once (StemGen, sec. 3).

Training from codes is many times faster than encoding 20 s crops in every step.
`data.tokens.format` describes the format; `data.tokens.writer` fills a store from a
prepared folder, `data.tokens.foreign` from the tokens of any other codec.
"""

import functools
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.config.codec import is_same_codec
from stemjax.config.runs import Loader
from stemjax.config.train import PairConfig
from stemjax.data.drawing.batches import Batch, endless
from stemjax.data.drawing.draw import nothing_to_draw
from stemjax.data.drawing.examples import (
    PairKind,
    evaluation_batches,
    training_example,
)
from stemjax.data.drawing.mixture import Mixture, Pool
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import MANIFEST, load_manifest
from stemjax.data.tokens.draw import (
    TokenDraw,
    TokenTable,
    crop_frames,
    draw_tokens,
    usable_tokens,
)
from stemjax.data.tokens.format import (
    CODE_BYTES,
    FORMAT,
    INDEX,
    KIND,
    StoreCodec,
    TokenManifest,
    codec_of,
    hash_of,
    shard_name,
)
from stemjax.data.tokens.index import check_index
from stemjax.io.errors import UserError
from stemjax.io.json_file import typed
from stemjax.io.npz import read_npz
from stemjax.io.weights import sha256_of

AGAIN = "copy it or fill the store again"
CHECKED_BYTES = 256_000_000
"""Size of a store up to which the checksums of all files are compared when it opens."""


class TokenStore:
    """A finished store, open for reading from any thread.

    Attributes:
      codec: the codec that made the codes.
      entries: E, the number of signals.
      frames: T, codec frames of each signal.
      index_arrays: the arrays of `index.npz`.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifest = read_manifest(folder)
        self.index_arrays = read_index(folder, self.manifest)
        self.codec: StoreCodec = codec_of(self.manifest)
        self.entries: int = self.manifest["entries"]
        self.frames: int = self.manifest["frames"]
        self._shard_entries: int = self.manifest["shard_entries"]
        self._shards = [
            np.memmap(folder / shard_name(number), "<u2", mode="r", shape=shape)
            for number, shape in enumerate(shard_shapes(self.manifest))
        ]
        self._tables: dict[str, TokenTable] = {}

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.codec.sample_rate / self.codec.hop

    def codes(self, entry: int) -> np.ndarray:
        """Codes of an entry, [Q, T] uint16, mapped from the file.

        Raises:
          IndexError: no such entry.
          UserError: a code beyond the codec's.
        """
        return self.crop(entry, slice(None))

    def crop(self, entry: int, frames: slice) -> np.ndarray:
        """`codes` of some frames."""
        if not 0 <= entry < self.entries:
            raise IndexError(f"{self.folder} has {self.entries} entries, got {entry}")
        shard, row = divmod(entry, self._shard_entries)
        codes = self._shards[shard][row][:, frames]
        if codes.size and codes.max() >= self.codec.codebook_size:
            raise UserError(
                f"{self.folder / shard_name(shard)}: entry {row} holds the code"
                f" {codes.max()}, outside of the {self.codec.codebook_size} of codec"
                f" {self.codec.name!r}; {AGAIN}"
            )
        return codes

    @property
    def content_hash(self) -> str:
        """Hash of the content: pairs and codes."""
        return self.manifest["content_hash"]

    def index(self, split: str) -> TokenTable:
        """The index of a split; entries are numbered over the whole store."""
        if split not in self._tables:
            self._tables[split] = self._table(split)
        return self._tables[split]

    def _table(self, split: str) -> TokenTable:
        if split not in SPLITS:
            raise UserError(f"split {split!r} must be one of {', '.join(SPLITS)}")
        splits, arrays = self.manifest["splits"], self.index_arrays
        first = sum(splits[s]["segments"] for s in SPLITS[: SPLITS.index(split)])
        rows = slice(first, first + splits[split]["segments"])
        offsets = arrays["draw_offset"][rows.start : rows.stop + 1]
        draws = slice(offsets[0], offsets[-1])
        return TokenTable(
            songs=tuple(splits[split]["songs"]),
            segment_song=arrays["segment_song"][rows],
            segment_frames=arrays["segment_frames"][rows],
            draw_offset=offsets - offsets[0],
            draw_context=arrays["draw_context"][draws],
            draw_target=arrays["draw_target"][draws],
            draw_instrument=arrays["draw_instrument"][draws],
            entry_rms=arrays.get("entry_rms"),
            sample_rate=self.codec.sample_rate,
            hop=self.codec.hop,
            is_padded=self.manifest["is_padded"],
        )

    def verify(self) -> None:
        """Read all files and compare their checksums.

        Raises:
          UserError: a damaged file.
        """
        for name in self.manifest["files"]:
            _check_digest(self.folder, self.manifest, name)


def open_tokens(folder: str | os.PathLike) -> TokenStore:
    """Open a store.

    Sizes are checked, and all bytes of the index and of stores up to `CHECKED_BYTES`.
    `verify` checks all bytes of any store; `codes` checks the range of the codes.

    Raises:
      UserError: not a finished store, another format, or a missing or damaged file.
    """
    return TokenStore(Path(folder))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a store, and the sizes of its files.

    Raises:
      UserError: no manifest, another format, a missing, unknown or mistyped field, or a
        file that is missing or damaged.
    """
    manifest = load_token_manifest(folder)
    for name, file in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"{path} is missing: {AGAIN}")
        if path.stat().st_size != file["bytes"]:
            raise UserError(f"{path} is not whole: {AGAIN}")
    for number, shape in enumerate(shard_shapes(manifest)):
        name = shard_name(number)
        if manifest["files"][name]["bytes"] != CODE_BYTES * math.prod(shape):
            raise UserError(f"{folder / MANIFEST} does not fit {name}: copy it again")
    size = sum(file["bytes"] for file in manifest["files"].values())
    for name in manifest["files"] if size <= CHECKED_BYTES else (INDEX,):
        _check_digest(folder, manifest, name)
    return manifest


def load_token_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a store, whose other files may lie elsewhere.

    Raises:
      UserError: no manifest, another format, or a missing, unknown or mistyped field.
    """
    path = folder / MANIFEST
    manifest = load_manifest(path, KIND, FORMAT, make="stemjax tokens")
    typed(TokenManifest, manifest, path, mend=AGAIN)
    return manifest


def _check_digest(folder: Path, manifest: Mapping[str, Any], name: str) -> None:
    if sha256_of(folder / name) != manifest["files"][name]["sha256"]:
        raise UserError(f"{folder / name} is damaged: {AGAIN}")


def read_index(folder: Path, manifest: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a store's index, checked against its manifest.

    Raises:
      UserError: damaged, arrays that are missing or do not fit, or content that is not
        that of the manifest's hash.
    """
    path = folder / INDEX
    arrays = read_npz(path, mend=AGAIN)
    try:
        check_index(manifest, arrays)
    except ValueError as error:
        raise UserError(f"{path}: {error}; {AGAIN}") from None
    if hash_of(manifest, arrays) != manifest["content_hash"]:
        raise UserError(f"{folder / MANIFEST}: was changed since it was made; {AGAIN}")
    return arrays


def shard_shapes(manifest: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """[e, Q, T] of each shard; all but the last are full."""
    entries, full = manifest["entries"], manifest["shard_entries"]
    return [
        (min(full, entries - first), manifest["num_codebooks"], manifest["frames"])
        for first in range(0, entries, full)
    ]


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
      UserError: no segment of the split is usable, a crop is longer than the stored
        segments, or the stores of a mixture were made with different codecs.
      ValueError: the batch does not divide over the processes.
    """
    return endless(
        training_example(token_pool(data, pairs, split, seed), token_pairs(pairs)),
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

    Adds other_context_codes, song, row and is_valid, as `pair_eval_batches` of
    `data.drawing.pairs` does.
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
    """Usable segments of a split of token stores."""
    stores = data.sources if isinstance(data, Mixture) else (data,)
    for store in stores:
        if not _are_interchangeable(store.codec, stores[0].codec):
            raise UserError(
                f"{store.folder} and {stores[0].folder} hold tokens of different"
                " codecs: fill both with one codec"
            )
        codec = store.codec
        if crop_frames(pairs, codec.sample_rate, codec.hop) > store.frames:
            raise UserError(
                f"{store.folder} holds segments of {store.frames / store.frame_rate:g}"
                f" s: lower the crop's {pairs.crop_seconds:g} s"
            )
    find_usable = functools.partial(usable_tokens, pairs=pairs)
    return Pool(data, split, seed, find_usable, nothing_to_draw(pairs))


def _are_interchangeable(a: StoreCodec, b: StoreCodec) -> bool:
    """Whether tokens of both codecs mean the same."""

    def numbers(codec: StoreCodec) -> tuple:
        size = (codec.num_codebooks, codec.codebook_size)
        name = "" if codec.sha256 else codec.name
        return name, codec.sample_rate, codec.hop, *size

    return is_same_codec(a, b) and numbers(a) == numbers(b)


def token_pairs(pairs: PairConfig) -> PairKind:
    """Pairs drawn from stored mixes."""
    return PairKind(
        draw=functools.partial(draw_tokens, pairs=pairs),
        read=read_pair,
        suffix="_codes",
    )


def read_pair(
    store: TokenStore, table: TokenTable, pair: TokenDraw
) -> tuple[np.ndarray, np.ndarray]:
    """Codes of context and target, [Q, T] uint16 each."""
    crop = slice(pair.start, pair.start + pair.frames)
    return (
        np.array(store.crop(pair.context, crop)),
        np.array(store.crop(pair.target, crop)),
    )

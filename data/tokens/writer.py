"""Fills a token store (format: `data.tokens.format`) and resumes an unfinished one.

The plan fixes every entry; then batches of mixes are encoded in order, shard by shard
(`data.tokens.shards`).  The manifest is written last.
"""

import dataclasses
import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.train import PairConfig
from stemjax.data.drawing.audio import StemSource
from stemjax.data.drawing.draw import nothing_to_draw
from stemjax.data.drawing.mixture import Mixture
from stemjax.data.drawing.prefetch import in_threads
from stemjax.data.layouts.song import SPLITS
from stemjax.data.prepared.manifest import MANIFEST, to_json
from stemjax.data.tokens.format import (
    StoreCodec,
    entries_per_shard,
    seal,
    write_manifest,
)
from stemjax.data.tokens.plan import Entry, SegmentPlan, mix_audio, plan, to_arrays
from stemjax.data.tokens.shards import WORK, ShardInWork
from stemjax.data.tokens.store import load_token_manifest
from stemjax.data.tokens.upload import PLAN, UploadedStore
from stemjax.io.atomic import write_bytes
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as
from stemjax.io.process.lock import LOCK, only_process
from stemjax.io.remote import is_remote

Encode = Callable[[np.ndarray], Any]
"""Audio [B, N] int16 -> codes [B, Q, T]."""
ProgressCallback = Callable[[int, int], None]
"""(entries done, entries in total) -> None."""


class _ShardBatch(NamedTuple):
    """A batch of entries of one shard."""

    shard: ShardInWork
    first: int
    """Row within the shard."""
    count: int
    entry: int
    """Number of the first entry within the store."""


class TokenWriter:
    """Plans a store and fills it, or continues an unfinished one with the same plan.

    Args:
      out: a folder, or a URL (gs://...) to which finished shards are uploaded.
      draws_per_segment: K random pairs of every segment.
      pairs: the crops of later training; they decide which stems count as silent.

    Raises:
      UserError: the folder holds a store of other data, codec or settings, or other
        files.  `entries` raises it if no segment is usable.
    """

    def __init__(
        self,
        out: str | os.PathLike,
        source: StemSource,
        *,
        codec: StoreCodec,
        draws_per_segment: int,
        seed: int,
        pairs: PairConfig | None = None,
    ):
        if draws_per_segment < 1:
            raise UserError(f"draws per segment must be 1 or more: {draws_per_segment}")
        if isinstance(source, Mixture):
            raise UserError(
                "a token store is made from one prepared folder: mix stores"
            )
        self._out = os.fspath(out)
        self._upload = UploadedStore(self._out) if is_remote(out) else None
        self.folder = self._upload.folder if self._upload else Path(out)
        self._source, self._codec = source, codec
        pairs = pairs or PairConfig()
        self._settings = codec.settings | {
            "is_padded": True,
            "source": {"content_hash": source.content_hash},
            "draws_per_segment": draws_per_segment,
            "seed": seed,
            "pairs": dataclasses.asdict(pairs),
        }
        self._pairs = pairs
        self._check_folder()

    @functools.cached_property
    def _planned(self) -> dict[str, list[SegmentPlan]]:
        settings = self._settings
        planned = plan(
            self._source, settings["draws_per_segment"], settings["seed"], self._pairs
        )
        if not any(planned.values()):
            raise UserError(nothing_to_draw(self._pairs))
        return planned

    @functools.cached_property
    def entries(self) -> list[Entry]:
        """All entries in order; reads the audio of every segment once."""
        planned = self._planned
        return [e for split in SPLITS for p in planned[split] for e in p.entries]

    @functools.cached_property
    def frames(self) -> int:
        """T, codec frames of the longest segment."""
        longest = max(p.samples for split in SPLITS for p in self._planned[split])
        return -(-longest // self._codec.hop)

    @property
    def _shard_entries(self) -> int:
        return entries_per_shard(self._codec.entry_bytes(self.frames))

    def fill(
        self,
        encode: Encode,
        *,
        batch_size: int = 4,
        progress: ProgressCallback | None = None,
    ) -> dict[str, Any]:
        """Encode the remaining entries; returns the manifest of the finished store.

        The audio of the next batches is read while `encode` runs.

        Args:
          encode: called with `batch_size` rows of one length, so it compiles once; rows
            past the end of a shard are zero.

        Raises:
          ValueError: `encode` returned codes of another shape or out of range.
          UserError: another process fills the store.
        """
        with only_process(self.folder):
            return self._fill(encode, batch_size, progress)

    def _fill(
        self, encode: Encode, batch_size: int, progress: ProgressCallback | None
    ) -> dict[str, Any]:
        path = self.folder / MANIFEST
        if path.is_file():
            manifest = load_token_manifest(self.folder)
            self._remove_work()
            return manifest
        shards = self._begin()
        total, missing = len(self.entries), []
        for number, shard in enumerate(shards):
            base, done = number * self._shard_entries, shard.count_done()
            if done == shard.entries:
                self._close(shard)
            for first in range(done, shard.entries, batch_size):
                count = min(batch_size, shard.entries - first)
                missing.append(_ShardBatch(shard, first, count, base + first))

        def mixes(part: _ShardBatch) -> np.ndarray:
            batch = np.zeros((batch_size, self.frames * self._codec.hop), np.int16)
            entries = self.entries[part.entry : part.entry + part.count]
            for row, entry in zip(batch, entries, strict=False):
                row[:] = mix_audio(self._source, entry, len(row))
            return batch

        done = total - sum(part.count for part in missing)
        if progress is not None:
            progress(done, total)
        for part, audio in zip(missing, in_threads(mixes, missing), strict=True):
            codes = self._checked(encode(audio))[: part.count]
            part.shard.write(part.first, codes)
            if part.first + part.count == part.shard.entries:
                self._close(part.shard)
            done += part.count
            if progress is not None:
                progress(done, total)
        return self._finish(shards)

    def _checked(self, codes: Any) -> np.ndarray:
        """Codes of a batch as uint16 [B, Q, T]."""
        codes, shape = np.asarray(codes), (self._codec.num_codebooks, self.frames)
        if codes.shape[1:] != shape:
            raise ValueError(
                f"the codec gave codes of shape {codes.shape[1:]}, not {shape}"
            )
        return self._codec.checked(codes)

    def _check_folder(self) -> None:
        """Raise a `UserError` if the folder holds another store or other files."""
        if self._upload:
            self._upload.fetch()
        for path in (self.folder / MANIFEST, self.folder / PLAN):
            if not path.is_file():
                continue
            saved = read_as(
                dict[str, Any], path, mend="give another --out or remove it"
            )
            for name, value in self._settings.items():
                if saved.get(name) != value:
                    raise UserError(
                        f"{self._out} has {name} {saved.get(name)!r}, not {value!r}:"
                        " give another --out or remove it"
                    )
            return
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        if set(names) - {LOCK, WORK}:
            raise UserError(f"{self._out} holds other files: give another --out")

    def _begin(self) -> list[ShardInWork]:
        """Write the plan; returns its shards."""
        total, full = len(self.entries), self._shard_entries
        (self.folder / WORK).mkdir(parents=True, exist_ok=True)
        write_bytes(self.folder / PLAN, to_json(self._settings).encode())
        if self._upload:
            self._upload.begin()
        size = (self._codec.num_codebooks, self.frames)
        return [
            ShardInWork(self.folder, number, (min(full, total - first), *size))
            for number, first in enumerate(range(0, total, full))
        ]

    def _close(self, shard: ShardInWork) -> None:
        if shard.facts() is None:
            shard.finish()
        if self._upload:
            self._upload.keep(shard)

    def _finish(self, shards: list[ShardInWork]) -> dict[str, Any]:
        """Write index and manifest and delete the working files."""
        splits = {
            split: {
                "songs": list(self._source.index(split).songs),
                "segments": len(planned),
            }
            for split, planned in self._planned.items()
        }
        manifest = seal(
            self.folder,
            self._settings,
            splits=splits,
            shape=(len(self.entries), self.frames, self._shard_entries),
            shards=[shard.facts() for shard in shards],
            arrays=to_arrays(self._planned, self._codec.hop),
        )
        if self._upload:
            self._upload.finish(manifest)
        else:
            write_manifest(self.folder, manifest)
        self._remove_work()
        return manifest

    def _remove_work(self) -> None:
        """Delete the working files of a finished store."""
        if self._upload:
            self._upload.remove_work()
        else:
            shutil.rmtree(self.folder / WORK, ignore_errors=True)

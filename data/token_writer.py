"""Fills a token store (format: `data.tokens`), going on where it stopped.

The plan comes first and fixes every entry; then batches of mixes are encoded in order.
`.work/done.jsonl` has one line per batch on disk, {"first", "count", "sha256"}; on the
next start the lines are checked and the rest is encoded.  The manifest comes last.
"""

import dataclasses
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data.audio import Source
from data.draw import nothing_to_draw
from data.errors import DataError
from data.layouts.song import SPLITS
from data.manifest import MANIFEST, to_json
from data.mixture import Mixture
from data.prefetch import in_threads
from data.segments import SAMPLE_RATE
from data.token_plan import Entry, SegmentPlan, mix_audio, plan, to_arrays
from data.tokens import CODES, FORMAT, INDEX, KIND, TokenStore, open_tokens, sha256_of
from stemjax.config.train import PairConfig

WORK = ".work"
PLAN, DONE = "plan.json", "done.jsonl"
Encode = Callable[[np.ndarray], Any]  # int16 [B, N] -> codes [B, Q, T]
Progress = Callable[[int, int], None]  # entries done, entries in all


@dataclasses.dataclass(frozen=True)
class StoreCodec:
    """The codec that a store is filled with."""

    name: str
    sha256: str  # of its weights
    hop: int  # samples per frame
    num_codebooks: int  # Q
    codebook_size: int  # V


class TokenWriter:
    """Plans a store, or finds the plan that an earlier start left, and fills it.

    draws_per_segment: K random pairs of every segment.
    pairs: crops that will be drawn; decides only which stems count as silent.

    Raises:
      DataError: the folder holds a store of other data, codec or settings, or other
        files; the data have nothing to draw (said when they are looked at).
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        source: Source,
        *,
        codec: StoreCodec,
        draws_per_segment: int,
        seed: int,
        pairs: PairConfig | None = None,
    ):
        if draws_per_segment < 1:
            raise DataError(f"draws per segment must be 1 or more: {draws_per_segment}")
        if isinstance(source, Mixture):
            raise DataError(
                "a token store is made from one prepared folder: mix stores"
            )
        if codec.codebook_size > 2**16:
            raise DataError(f"codes must fit 16 bits, not {codec.codebook_size}")
        self.folder, self._source = Path(folder), source
        pairs = pairs or PairConfig()
        self._settings = {
            "format": FORMAT,
            "kind": KIND,
            "codec": {"name": codec.name, "sha256": codec.sha256},
            "hop": codec.hop,
            "frame_rate": SAMPLE_RATE / codec.hop,
            "num_codebooks": codec.num_codebooks,
            "codebook_size": codec.codebook_size,
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
            raise DataError(nothing_to_draw(self._pairs))
        return planned

    @functools.cached_property
    def entries(self) -> list[Entry]:
        """What will be encoded, in order. Reads the audio of every segment once."""
        planned = self._planned
        return [e for split in SPLITS for p in planned[split] for e in p.entries]

    @functools.cached_property
    def frames(self) -> int:
        """T, codec frames of the longest segment."""
        longest = max(p.samples for split in SPLITS for p in self._planned[split])
        return -(-longest // self._settings["hop"])

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (len(self.entries), self._settings["num_codebooks"], self.frames)

    @property
    def bytes(self) -> int:
        """Size of the codes on disk."""
        return 2 * int(np.prod(self._shape))

    def fill(
        self, encode: Encode, *, batch_size: int = 4, progress: Progress | None = None
    ) -> TokenStore:
        """Encode what is not done yet, and open the finished store.

        encode: int16 [B, N] -> codes [B, Q, T]; always called with `batch_size` rows
          (the last ones zero at the end) of one length, so it compiles once.

        Raises:
          ValueError: `encode` returned codes of another shape or out of range.
        """
        if (self.folder / MANIFEST).is_file():
            return open_tokens(self.folder)
        arrays = to_arrays(self._planned)
        codes = self._open_codes()
        done = self._count_done(codes)

        def mixes(first: int) -> np.ndarray:
            batch = np.zeros(
                (batch_size, self.frames * self._settings["hop"]), np.int16
            )
            for row, entry in enumerate(self.entries[first : first + batch_size]):
                batch[row] = mix_audio(self._source, entry, batch.shape[1])
            return batch

        if progress is not None:
            progress(done, len(self.entries))
        starts = range(done, len(self.entries), batch_size)
        with (self.folder / WORK / DONE).open("a", encoding="utf-8") as log:
            for first, batch in zip(starts, in_threads(mixes, starts), strict=True):
                count = min(batch_size, len(self.entries) - first)
                codes[first : first + count] = self._checked(encode(batch))[:count]
                codes.flush()
                line = {"first": first, "count": count}
                log.write(to_json(line | {"sha256": _hash(codes, first, count)}) + "\n")
                log.flush()
                if progress is not None:
                    progress(first + count, len(self.entries))
        del codes
        return self._finish(arrays)

    def _checked(self, codes: Any) -> np.ndarray:
        """Codes of a batch as uint16 [B, Q, T]."""
        codes = np.asarray(codes)
        if codes.shape[1:] != self._shape[1:]:
            raise ValueError(
                f"the codec gave codes of shape {codes.shape[1:]}, not {self._shape[1:]}"
            )
        if not 0 <= codes.min() <= codes.max() < self._settings["codebook_size"]:
            raise ValueError(
                f"the codec gave codes {codes.min()} to {codes.max()}, outside of its"
                f" {self._settings['codebook_size']}"
            )
        return codes.astype("<u2")

    def _check_folder(self) -> None:
        """Stop before anything is planned when the folder belongs to something else."""
        for path in (self.folder / MANIFEST, self.folder / WORK / PLAN):
            if not path.is_file():
                continue
            try:
                saved = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                saved = {}
            for name, value in self._settings.items():
                if saved.get(name) != value:
                    raise DataError(
                        f"{path} has {name} {saved.get(name)!r}, not {value!r}: give"
                        " another --out or remove it"
                    )
            return
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise DataError(f"{self.folder} holds other files: give another --out")

    def _open_codes(self) -> np.memmap:
        """Map `codes.bin`, made at its full size; writes the plan before it."""
        work = self.folder / WORK
        work.mkdir(parents=True, exist_ok=True)
        _write(work / PLAN, to_json(self._settings).encode())
        path = self.folder / CODES
        if not path.is_file() or path.stat().st_size != self.bytes:
            (work / DONE).unlink(missing_ok=True)
            with path.open("wb") as file:
                file.truncate(self.bytes)
        return np.memmap(path, "<u2", mode="r+", shape=self._shape)

    def _count_done(self, codes: np.memmap) -> int:
        """Entries on disk whose checksum holds; forgets the lines after them."""
        path = self.folder / WORK / DONE
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        done, kept = 0, []
        for line in lines:
            try:
                made = json.loads(line)
                first, count = made["first"], made["count"]
                is_good = first == done and _hash(codes, first, count) == made["sha256"]
            except (ValueError, KeyError):  # a line cut short by a kill
                is_good = False
            if not is_good:
                break
            done += count
            kept.append(line + "\n")
        _write(path, "".join(kept).encode())
        return done

    def _finish(self, arrays: dict[str, np.ndarray]) -> TokenStore:
        """Index, checksums, manifest; then the working files go."""
        part = self.folder / WORK / INDEX
        np.savez(part, **arrays)
        os.replace(part, self.folder / INDEX)
        files = {
            name: {
                "bytes": (self.folder / name).stat().st_size,
                "sha256": sha256_of(self.folder / name),
            }
            for name in (CODES, INDEX)
        }
        splits = {
            split: {
                "songs": list(self._source.index(split).songs),
                "segments": len(planned),
            }
            for split, planned in self._planned.items()
        }
        manifest = self._settings | {
            "entries": len(self.entries),
            "frames": self.frames,
            "splits": splits,
            "content_hash": content_hash(
                self._settings | splits, files[CODES]["sha256"], arrays
            ),
            "files": files,
        }
        _write(self.folder / MANIFEST, to_json(manifest).encode())
        shutil.rmtree(self.folder / WORK)
        return open_tokens(self.folder)


def content_hash(
    settings: dict[str, Any], codes_sha256: str, arrays: dict[str, np.ndarray]
) -> str:
    """Over all that a reader sees; not over the bytes of the zip file."""
    seen = hashlib.sha256(to_json(settings).encode() + codes_sha256.encode())
    for name, array in sorted(arrays.items()):
        seen.update(f"{name} {array.dtype.str} {array.shape}".encode())
        seen.update(np.ascontiguousarray(array).tobytes())
    return seen.hexdigest()


def _hash(codes: np.ndarray, first: int, count: int) -> str:
    return hashlib.sha256(codes[first : first + count].tobytes()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file that is either whole or absent."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)

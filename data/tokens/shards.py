"""Shards of a token store while they are filled, batch by batch.

An unfinished shard is `codes-NNNNN.bin` in `.work` at its full size, beside
`codes-NNNNN.jsonl`, one line per batch on disk: {"first", "count", "sha256"}.  The next
start checks the lines against the codes and encodes the rest again.  A finished shard
moves into the store's folder; then `codes-NNNNN.json` holds its size and hash.
"""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.config.plain_values import from_json
from stemjax.data.prepared.manifest import to_json
from stemjax.data.tokens.format import CODE_BYTES, FileFacts, file_facts, shard_name
from stemjax.io.atomic import write_bytes, write_text
from stemjax.io.json_file import parse_json, read_as, read_bytes

WORK = ".work"


@dataclasses.dataclass(frozen=True)
class _WrittenBatch:
    """A line of `codes-NNNNN.jsonl`."""

    first: int
    count: int
    sha256: str


class ShardInWork:
    """One shard of a store that is being filled.

    Args:
      shape: (e, Q, T).
    """

    def __init__(self, folder: Path, number: int, shape: tuple[int, int, int]):
        self.name = shard_name(number)
        self.path = folder / self.name
        self.facts_name = f"{WORK}/{self.path.stem}.json"
        self._shape = shape
        self._facts = folder / self.facts_name
        self._part = folder / WORK / self.name
        self._log = folder / WORK / f"{self.path.stem}.jsonl"

    @property
    def entries(self) -> int:
        """e, the number of entries of the finished shard."""
        return self._shape[0]

    def facts(self) -> dict[str, Any] | None:
        """`file_facts` of a finished shard; None before."""
        if self._facts.is_file():
            facts = read_as(FileFacts, self._facts, mend="delete it")
            return dataclasses.asdict(facts)
        if self.path.is_file():  # killed right after the move
            return self._keep_facts()
        return None

    def count_done(self) -> int:
        """Number of entries on disk with a correct checksum; drops the lines after them."""
        if self.facts() is not None:
            return self.entries
        lines = []
        if self._log.is_file() and self._has_its_size():
            lines = read_bytes(self._log, mend="delete it").splitlines()
        done, kept = 0, []
        for line in lines:
            try:
                made = from_json(_WrittenBatch, parse_json(line, self._log, mend=""))
                first, count = made.first, made.count
                is_next = first == done and 0 < count <= self.entries - done
                is_good = is_next and self._hash(first, count) == made.sha256
            except ValueError:  # a line that was cut by a kill
                is_good = False
            if not is_good:
                break
            done += count
            kept.append(line + b"\n")
        write_bytes(self._log, b"".join(kept))
        return done

    def write(self, first: int, codes: np.ndarray) -> None:
        """Write codes [b, Q, T] at row `first` and flush them to the disk."""
        if not self._has_its_size():
            with self._part.open("wb") as file:
                file.truncate(self._row_bytes * self.entries)
        content = codes.astype("<u2").tobytes()
        # not through a memory map: on a full disk its writes end the process (SIGBUS)
        with self._part.open("r+b") as file:
            file.seek(self._row_bytes * first)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        line = {"first": first, "count": len(codes), "sha256": _sha256(content)}
        with self._log.open("a", encoding="utf-8") as log:
            log.write(to_json(line) + "\n")

    def finish(self) -> dict[str, Any]:
        """Move the finished shard into the store; returns its facts."""
        os.replace(self._part, self.path)
        facts = self._keep_facts()
        self._log.unlink()
        return facts

    def _keep_facts(self) -> dict[str, Any]:
        facts = file_facts(self.path)
        write_text(self._facts, to_json(facts))
        return facts

    @property
    def _row_bytes(self) -> int:
        """Size of an entry."""
        return CODE_BYTES * int(np.prod(self._shape[1:]))

    def _has_its_size(self) -> bool:
        size = self._row_bytes * self.entries
        return self._part.is_file() and self._part.stat().st_size == size

    def _hash(self, first: int, count: int) -> str:
        with self._part.open("rb") as file:
            file.seek(self._row_bytes * first)
            return _sha256(file.read(self._row_bytes * count))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

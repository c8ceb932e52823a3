"""Shards of a token store while they are filled, batch by batch.

In `.work`, a shard begun is `codes-NNNNN.bin` at its full size beside
`codes-NNNNN.jsonl`, one line per batch on disk: {"first", "count", "sha256"}.  On the
next start the lines are checked against the codes and the rest is done again.  A whole
shard moves into the store's folder; then `codes-NNNNN.json` says its size and hash.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from stemjax.data.prepared.manifest import to_json
from stemjax.data.tokens.format import CODE_BYTES, file_facts, shard_name
from stemjax.io.atomic import write_text

WORK = ".work"


class ShardInWork:
    """One shard of a store that is being filled.

    shape: [e, Q, T].
    """

    def __init__(self, folder: Path, number: int, shape: tuple[int, int, int]):
        self.name = shard_name(number)
        self.path = folder / self.name
        self.facts_name = f"{WORK}/{self.path.stem}.json"
        self._shape = shape
        self._facts = folder / self.facts_name
        self._part = folder / WORK / self.name
        self._log = folder / WORK / f"{self.path.stem}.jsonl"
        self._codes: np.memmap | None = None

    @property
    def entries(self) -> int:
        """e, how many entries it will hold."""
        return self._shape[0]

    def facts(self) -> dict[str, Any] | None:
        """`file_facts` of a whole shard; None while it is not."""
        if self._facts.is_file():
            return json.loads(self._facts.read_text(encoding="utf-8"))
        if self.path.is_file():  # killed just after it was moved
            return self._keep_facts()
        return None

    def count_done(self) -> int:
        """Entries on disk whose checksum holds; forgets the lines after them."""
        if self.facts() is not None:
            return self.entries
        lines = []
        if self._log.is_file() and self._has_its_size():
            lines = self._log.read_text(encoding="utf-8").splitlines()
        done, kept = 0, []
        for line in lines:
            try:
                made = json.loads(line)
                first, count = made["first"], made["count"]
                is_good = first == done and self._hash(first, count) == made["sha256"]
            except (ValueError, KeyError):  # a line cut short by a kill
                is_good = False
            if not is_good:
                break
            done += count
            kept.append(line + "\n")
        write_text(self._log, "".join(kept))
        return done

    def write(self, first: int, codes: np.ndarray) -> None:
        """Put codes [b, Q, T] at row `first`, on the disk when this returns."""
        count = len(codes)
        mapped = self._mapped()
        mapped[first : first + count] = codes
        mapped.flush()
        line = {"first": first, "count": count, "sha256": self._hash(first, count)}
        with self._log.open("a", encoding="utf-8") as log:
            log.write(to_json(line) + "\n")

    def finish(self) -> dict[str, Any]:
        """Move the whole shard into the store; returns its facts."""
        self._codes = None
        os.replace(self._part, self.path)
        facts = self._keep_facts()
        self._log.unlink()
        return facts

    def _keep_facts(self) -> dict[str, Any]:
        facts = file_facts(self.path)
        write_text(self._facts, to_json(facts))
        return facts

    def _has_its_size(self) -> bool:
        size = CODE_BYTES * int(np.prod(self._shape))
        return self._part.is_file() and self._part.stat().st_size == size

    def _mapped(self) -> np.memmap:
        if self._codes is None:
            if not self._has_its_size():
                with self._part.open("wb") as file:
                    file.truncate(CODE_BYTES * int(np.prod(self._shape)))
            self._codes = np.memmap(self._part, "<u2", mode="r+", shape=self._shape)
        return self._codes

    def _hash(self, first: int, count: int) -> str:
        rows = self._mapped()[first : first + count]
        return hashlib.sha256(rows.tobytes()).hexdigest()
